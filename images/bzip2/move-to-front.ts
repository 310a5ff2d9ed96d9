/**
 * The list of bytes in which each one moves to the front when it is used. Four bytes lie in a word, the first lowest,
 * and words are moved by four at a time: a list of bytes would need a loop of another length for every symbol.
 */
export class MoveToFront {
  /** `words[0]` is a helper: its top byte is what moves into the first place. */
  private readonly words = new Int32Array(1 + 64);

  /** The first byte of the list. */
  get front(): number {
    return this.words[1]! & 0xff;
  }

  /** Sets the list to these 256 bytes. */
  reset(bytes: Uint8Array): void {
    for (let index = 0; index < 64; index++)
      this.words[1 + index] =
        bytes[index * 4]! |
        (bytes[index * 4 + 1]! << 8) |
        (bytes[index * 4 + 2]! << 16) |
        (bytes[index * 4 + 3]! << 24);
  }

  /** Moves the byte at `place` (0 to 255) to the front and returns it. */
  take(place: number): number {
    const { words } = this;
    const byte = (words[1 + (place >>> 2)]! >>> ((place & 3) << 3)) & 0xff;
    words[0] = byte << 24;
    let at = (place >>> 4) << 2;
    const mask = (place & 15) << 2;
    // Of the 16 bytes that the place is in, those up to it move by one.
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    const e = words[at + 4]!;
    words[at + 1] = b ^ ((((b << 8) | (a >>> 24)) ^ b) & masks[mask]!);
    words[at + 2] = c ^ ((((c << 8) | (b >>> 24)) ^ c) & masks[mask + 1]!);
    words[at + 3] = d ^ ((((d << 8) | (c >>> 24)) ^ d) & masks[mask + 2]!);
    words[at + 4] = e ^ ((((e << 8) | (d >>> 24)) ^ e) & masks[mask + 3]!);
    // All before them do.
    while (at > 0) {
      at -= 4;
      const a = words[at]!;
      const b = words[at + 1]!;
      const c = words[at + 2]!;
      const d = words[at + 3]!;
      const e = words[at + 4]!;
      words[at + 1] = (b << 8) | (a >>> 24);
      words[at + 2] = (c << 8) | (b >>> 24);
      words[at + 3] = (d << 8) | (c >>> 24);
      words[at + 4] = (e << 8) | (d >>> 24);
    }
    return byte;
  }
}

/** By the place's last four bits: which bits of four words move. */
const masks = new Int32Array(16 * 4);
for (let place = 0; place < 16; place++)
  for (let byte = 0; byte <= place; byte++) masks[place * 4 + (byte >>> 2)]! |= 0xff << ((byte & 3) * 8);
