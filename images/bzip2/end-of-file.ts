import type { ByteSource } from '../bytes/byte-source.js';
import { END_BITS, END_MAGIC, STREAM_MAGIC } from './format.js';
import { magicAt } from './scanner.js';

const END_BYTES = Math.ceil((END_BITS + 7) / 8);

/**
 * Whether a file is cut within the header of a further stream. bzip2 refuses that, other programs take the one to
 * three bytes for garbage behind the last stream and are content with less data than there was.
 */
export function isCutInHeader(source: ByteSource): boolean {
  for (let length = 1; length <= STREAM_MAGIC.length; length++) {
    const start = source.size - length - END_BYTES;
    if (start < 0) return false;
    const bytes = Buffer.alloc(END_BYTES + STREAM_MAGIC.length);
    source.readInto(bytes.subarray(0, END_BYTES + length), start);
    const tail = bytes.subarray(END_BYTES, END_BYTES + length);
    if (tail.every((byte, index) => byte === STREAM_MAGIC[index]) && endsStream(bytes)) return true;
  }
  return false;
}

/** Whether a stream ends with the first END_BYTES bytes. */
function endsStream(bytes: Buffer): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let padding = 0; padding < 8; padding++)
    if (magicAt(view, END_BYTES * 8 - padding - END_BITS) === END_MAGIC) return true;
  return false;
}
