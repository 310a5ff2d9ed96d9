const zeroPiece = Buffer.alloc(64 * 1024);

/** So many bytes are looked at one by one first: most data shows there that it is none of zeros. */
const QUICK_BYTES = 16;

/**
 * Whether all bytes from `start` to `end` are zero. Compares with a buffer of zeros, which runs at memory speed, and
 * makes no views for data that begins with something else: this is asked of every block that is written.
 */
export function isZero(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  const quick = Math.min(end, start + QUICK_BYTES);
  for (let index = start; index < quick; index++) if (bytes[index] !== 0) return false;
  for (let offset = quick; offset < end; offset += zeroPiece.length) {
    const part = bytes.subarray(offset, Math.min(end, offset + zeroPiece.length));
    const zeros = part.length === zeroPiece.length ? zeroPiece : zeroPiece.subarray(0, part.length);
    if (Buffer.compare(part, zeros) !== 0) return false;
  }
  return true;
}
