import { isZero } from '../bytes/zeros.js';
import { type Content, piecesOf } from './content.js';

/** A run of consecutive logical blocks that hold data. */
export interface BlockRun {
  readonly logical: number;
  readonly count: number;
}

/** Whole blocks of a file that follow each other. `bytes` is valid until the next run is asked for. */
export interface DataRun {
  /** First block of the file. */
  readonly logical: number;
  /** A whole number of blocks; what the file's last block has beyond its end is zero. */
  readonly bytes: Uint8Array;
}

/** Read and written while still in the processor's cache: larger pieces are slower, by a fifth at 1 MiB. */
const RUN_BYTES = 128 * 1024;

/** Memory for reading one file after the other: filling an image would otherwise allocate as much as it reads. */
export class RunBuffers {
  readonly piece = Buffer.allocUnsafe(RUN_BYTES);
  readonly partial: Buffer;

  constructor(readonly blockSize: number) {
    this.partial = Buffer.alloc(blockSize);
  }
}

/**
 * A file's data as runs of whole blocks, without the blocks that are all zero: what is written depends on the
 * content alone, not on whether its source stored zeros or left holes.
 */
export function* dataRuns(content: Content, size: number, buffers: RunBuffers): Generator<DataRun> {
  const { blockSize } = buffers;
  for (const { logical, bytes } of wholeBlocks(content, size, buffers)) {
    let start = -1;
    for (let position = 0; position <= bytes.length; position += blockSize) {
      const data = position < bytes.length && !isZero(bytes, position, position + blockSize);
      if (data && start < 0) start = position;
      if (!data && start >= 0) {
        yield { logical: logical + start / blockSize, bytes: bytes.subarray(start, position) };
        start = -1;
      }
    }
  }
}

/** Joins pieces of any offset and length to whole blocks; blocks that no piece touches are left out. */
function* wholeBlocks(
  content: Content,
  size: number,
  { piece: buffer, partial, blockSize }: RunBuffers,
): Generator<DataRun> {
  let partialBlock = -1;
  for (const piece of piecesOf(content, size, buffer)) {
    let position = 0;
    while (position < piece.bytes.length) {
      const offset = piece.offset + position;
      const logical = Math.floor(offset / blockSize);
      if (partialBlock >= 0 && logical !== partialBlock) {
        yield { logical: partialBlock, bytes: partial };
        partialBlock = -1;
      }
      const within = offset - logical * blockSize;
      const left = piece.bytes.length - position;
      if (within === 0 && left >= blockSize) {
        const count = left - (left % blockSize);
        yield { logical, bytes: piece.bytes.subarray(position, position + count) };
        position += count;
        continue;
      }
      if (partialBlock < 0) {
        partial.fill(0);
        partialBlock = logical;
      }
      const count = Math.min(left, blockSize - within);
      partial.set(piece.bytes.subarray(position, position + count), within);
      position += count;
    }
  }
  if (partialBlock >= 0) yield { logical: partialBlock, bytes: partial };
}

/**
 * The blocks that a file's source stores, without reading its content: at least all that `dataRuns` gives, so
 * that a quick count never says too little.
 */
export function* storedRuns(content: Content, size: number, blockSize: number): Generator<BlockRun> {
  if (content.kind !== 'extents') {
    if (size > 0) yield { logical: 0, count: Math.ceil(size / blockSize) };
    return;
  }
  let next = 0;
  for (const { offset, length } of content.extents()) {
    const first = Math.max(next, Math.floor(offset / blockSize));
    const end = Math.ceil((offset + length) / blockSize);
    if (end > first) {
      yield { logical: first, count: end - first };
      next = end;
    }
  }
}
