import { Bzip2Fault } from './format.js';
import type { CompressedWindow } from './window.js';

/** Reads a few bits at a time, from the top bit of each byte down. For headers; block-symbols.ts has its own way. */
export class BitReader {
  constructor(
    private readonly window: CompressedWindow,
    public bit: number,
  ) {}

  /** The next 1 to 24 bits as a number. Throws a Bzip2Fault where the bytes end. */
  read(count: number): number {
    const { bit } = this;
    if (bit + count > this.window.endBit) throw cutAt(this.window.endBit);
    this.bit = bit + count;
    return (this.window.view.getUint32(bit >>> 3) << (bit & 7)) >>> (32 - count);
  }

  readUint32(): number {
    return this.read(16) * 0x10000 + this.read(16);
  }

  readUint48(): number {
    return this.read(24) * 0x1000000 + this.read(24);
  }
}

/** The fault of bytes that end inside a block or stream. */
export function cutAt(bit: number): Bzip2Fault {
  return new Bzip2Fault('the compressed data ends in the middle', bit, true);
}
