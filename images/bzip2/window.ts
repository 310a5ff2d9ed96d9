/** So many bytes behind a window's last can be read (they are zero), so that hot loops check seldom. */
export const PADDING_BYTES = 256;

/** Some of the bytes of a compressed file, with room behind them. Places in it are bits from its first byte. */
export class CompressedWindow {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** `bytes` must have at least PADDING_BYTES behind `length`, which are cleared. */
  constructor(
    bytes: Uint8Array,
    readonly length: number,
  ) {
    if (bytes.length < length + PADDING_BYTES) throw new RangeError('a window without padding');
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    bytes.fill(0, length, length + PADDING_BYTES);
  }

  /** The bit behind the last. */
  get endBit(): number {
    return this.length * 8;
  }
}
