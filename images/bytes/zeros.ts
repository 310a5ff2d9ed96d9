const zeroPiece = Buffer.alloc(64 * 1024);

/** Whether all bytes are zero. Compares with a zero buffer, which runs at memory speed (Buffer.equals is memcmp). */
export function isZero(bytes: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += zeroPiece.length) {
    const part = bytes.subarray(offset, offset + zeroPiece.length);
    const zeros = part.length === zeroPiece.length ? zeroPiece : zeroPiece.subarray(0, part.length);
    if (zeroPiece.length > 0 && Buffer.compare(part, zeros) !== 0) return false;
  }
  return true;
}
