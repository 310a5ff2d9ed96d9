import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { imageError } from '../diagnostic.js';

/** A device that is open for reading and for writing in place. */
export interface Device {
  readonly source: ByteSource;
  readonly sink: ByteSink;
}

/** New bytes for blocks that are in use; the first of them lies at `address`. */
export interface CommitBlock {
  readonly address: number;
  readonly bytes: Buffer;
}

/**
 * Writes over blocks that are in use, all or none: what they held before is put back when one can't be written.
 * Throws a DiagnosticError then; `hint` is for the case that putting back fails too.
 */
export function commit(
  { source, sink }: Device,
  blockSize: number,
  blocks: readonly CommitBlock[],
  hint: string,
): void {
  const put = (all: readonly CommitBlock[]): void => {
    for (const { address, bytes } of all) sink.write(bytes, address * blockSize);
    sink.flush();
  };
  sink.flush();
  const before = blocks.map(({ address, bytes }) => ({
    address,
    bytes: readBytes(source, address * blockSize, bytes.length),
  }));
  try {
    put(blocks);
  } catch (cause) {
    try {
      put(before);
    } catch {
      throw imageError(
        { file: source.name },
        'writing failed in the last step, and so did putting back what was there',
        hint,
      );
    }
    throw cause;
  }
}
