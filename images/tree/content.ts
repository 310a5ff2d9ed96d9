import { createHash } from 'node:crypto';
import { type ByteSource, FileSource } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { imageError } from '../diagnostic.js';

/** A run of a file's bytes and where they lie. What no extent covers is a hole and reads as zeros. */
export interface Extent {
  /** Byte offset in the file. */
  readonly offset: number;
  /** Byte offset in the source. */
  readonly position: number;
  /** Length in bytes. */
  readonly length: number;
}

/** Where a file's bytes are: nothing is copied into a Tree but a few inline bytes. */
export type Content =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'extents';
      readonly source: ByteSource;
      /**
       * The extents, in ascending order, not overlapping, inside the file. Made anew at each call, so that a large
       * fragmented file costs no memory; throws a DiagnosticError where the image's own map is damaged.
       */
      readonly extents: () => Iterable<Extent>;
    }
  | {
      readonly kind: 'host-file';
      /** Path on the host, as bytes: names need not be UTF-8. */
      readonly path: Buffer;
    };

export const EMPTY_CONTENT: Content = { kind: 'inline', bytes: new Uint8Array(0) };

/** Bytes of a file at an offset. `bytes` is valid until the next piece is asked for. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The largest piece that `piecesOf` yields. */
export const PIECE_BYTES = 1024 * 1024;

/**
 * The data of a file of `size` bytes in ascending order, in pieces of at most PIECE_BYTES; holes are left out.
 * Throws a DiagnosticError when the source is damaged, cut short, or changed since the Tree was made.
 */
export function* piecesOf(
  content: Content,
  size: number,
  buffer = Buffer.allocUnsafe(pieceBufferSize(size)),
): Generator<Piece> {
  switch (content.kind) {
    case 'inline':
      for (let offset = 0; offset < content.bytes.length; offset += buffer.length) {
        yield { offset, bytes: content.bytes.subarray(offset, offset + buffer.length) };
      }
      return;
    case 'extents': {
      let end = 0;
      for (const extent of content.extents()) {
        if (!(extent.offset >= end) || !(extent.length >= 0) || !(extent.offset + extent.length <= size)) {
          throw imageError(
            { file: content.source.name, offset: extent.position },
            `data at bytes ${extent.offset}..${extent.offset + extent.length} of a file of ${size} bytes is out of order or past its end`,
          );
        }
        end = extent.offset + extent.length;
        yield* readRun(content.source, extent, buffer);
      }
      return;
    }
    case 'host-file': {
      const source = new FileSource(content.path);
      try {
        if (source.size !== size) {
          throw imageError(
            { file: source.name },
            `the file had ${size} bytes when it was listed and has ${source.size} now`,
            'Something is writing it: stop that and run it again.',
          );
        }
        yield* readRun(source, { offset: 0, position: 0, length: size }, buffer);
      } finally {
        source.close();
      }
    }
  }
}

/** A buffer no larger than the file needs: most files are small. */
function pieceBufferSize(size: number): number {
  return Math.max(1, Math.min(PIECE_BYTES, size));
}

function* readRun(source: ByteSource, extent: Extent, buffer: Buffer): Generator<Piece> {
  for (let done = 0; done < extent.length; done += buffer.length) {
    const bytes = buffer.subarray(0, Math.min(buffer.length, extent.length - done));
    source.readInto(bytes, extent.position + done);
    yield { offset: extent.offset + done, bytes };
  }
}

/**
 * All of a file's bytes. Only for files whose size the caller has bounded (a script, a configuration file).
 */
export function readContent(content: Content, size: number): Buffer {
  const result = Buffer.alloc(size);
  for (const piece of piecesOf(content, size)) result.set(piece.bytes, piece.offset);
  return result;
}

const zeros = Buffer.alloc(PIECE_BYTES);

/** A file this small is hashed whatever its image's size is. */
const PLAUSIBLE_BYTES = 8 * 1024 ** 3;
/** A larger one may have this many times the bytes of its image, the rest being holes. */
const PLAUSIBLE_FACTOR = 4096;

/** Hashing the holes of a file that a damaged image calls exabytes long would never end. */
function checkPlausible(content: Content, size: number): void {
  if (content.kind !== 'extents' || size <= PLAUSIBLE_BYTES || size <= content.source.size * PLAUSIBLE_FACTOR)
    return;
  throw imageError(
    { file: content.source.name },
    `a file of ${size} bytes in an image of ${content.source.size}: that is no size to compute a digest for`,
    'The image is likely damaged: fsck it.',
  );
}

/** Hashes a file piece by piece, holes as zeros; yields after each, so that long work can be interrupted. */
function* hashing(content: Content, size: number): Generator<void, string> {
  checkPlausible(content, size);
  const hash = createHash('sha256');
  let position = 0;
  const hole = function* (end: number): Generator<void> {
    for (; position < end; position += zeros.length) {
      hash.update(end - position >= zeros.length ? zeros : zeros.subarray(0, end - position));
      yield;
    }
    position = end;
  };
  for (const piece of piecesOf(content, size)) {
    yield* hole(piece.offset);
    hash.update(piece.bytes);
    position = piece.offset + piece.bytes.length;
    yield;
  }
  yield* hole(size);
  return hash.digest('hex');
}

/** SHA-256 of a file's bytes, holes as zeros, in hexadecimal. Throws a DiagnosticError when it can't be read. */
export function sha256Of(content: Content, size: number): string {
  const steps = hashing(content, size);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** The same, with breaks: for files of any size in commands that a user may interrupt. */
export async function digestOf(content: Content, size: number, pace: Pace): Promise<string> {
  const steps = hashing(content, size);
  let step = steps.next();
  while (step.done !== true) {
    if (pace.due()) await pace.breathe();
    step = steps.next();
  }
  return step.value;
}
