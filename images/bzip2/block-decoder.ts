import { type BlockCode, blockCode } from './block-code.js';
import { Bzip2Fault, MAX_BLOCK_BYTES } from './format.js';
import { derandomise } from './randomisation.js';

/** The words for `Fault` of assembly/fault.ts, in its order; a number takes the place of `#`. */
const faults = [
  'nothing is wrong',
  'the compressed data ends in the middle',
  'no block begins here',
  'its origin is outside of it',
  'no byte occurs in it',
  'it has # code tables',
  'it has no selectors',
  'a selector of a table that is none',
  'a code of # bits',
  'its code lengths make no code',
  'it has a code that stands for nothing',
  'it has a run that no block can hold',
  'it is longer than a block can be',
  'it has fewer selectors than its symbols need',
];
const [NONE, CUT] = [0, 1];

/** Fewer zeros are data like any other. */
const ZEROS_BYTES = 4096;

/**
 * Decodes one block after the other, in any order. The work is done by WebAssembly (assembly/), which has 27 MiB of
 * memory and touches some 16 of it.
 */
export class BlockDecoder {
  private readonly code: BlockCode = blockCode();
  private readonly memory = new Uint8Array(this.code.memory.buffer);
  private readonly output = this.code.output.value;
  /** Data that has come out and waits for a target: part of `memory`. */
  private waitingFrom = this.output;
  private waitingEnd = this.output;
  /** Zeros that come before it. */
  private zeros = 0;

  /** Takes some of the bytes of a compressed file, in which the blocks to decode lie: at most 5 MB. */
  open(bytes: Uint8Array): void {
    const { code, memory } = this;
    if (bytes.length > code.WINDOW_BYTES.value) throw new RangeError('a window that is too long');
    const start = code.window.value + code.PADDING_BYTES.value;
    // The code wants them in reverse: see assembly/window.ts.
    memory.fill(0, code.window.value, start);
    memory.set(bytes, start);
    memory.subarray(start, start + bytes.length).reverse();
    code.openWindow(bytes.length);
  }

  /**
   * Begins with the block at `bit` and reads all of it, so that only `fill` is left to do. Throws a Bzip2Fault,
   * with `cut` set where the window ends before the block does.
   */
  begin(bit: number): void {
    const { code } = this;
    this.check(code.readBlock(bit));
    this.check(code.unrotate(bit));
    this.waitingFrom = this.waitingEnd;
    this.zeros = 0;
    if (code.randomised.value !== 0)
      derandomise(this.memory.subarray(code.text.value, code.text.value + MAX_BLOCK_BYTES), this.length);
  }

  /** Bytes of the block with runs still short: what its stream's level limits. */
  get length(): number {
    return this.code.columnBytes.value;
  }

  /** Where the block ends in the window. */
  get endBit(): number {
    return this.code.symbolsEnd.value;
  }

  /** Checksum of the block's data, as the file has it. */
  get checksum(): number {
    return this.code.checksum.value >>> 0;
  }

  /** Whether all of the block's data has come out. */
  get done(): boolean {
    return this.zeros === 0 && this.waitingFrom === this.waitingEnd && this.code.isDone() !== 0;
  }

  /** How many zeros come next. They are in no buffer: images are full of them. */
  takeZeros(): number {
    if (this.zeros === 0) this.expand();
    const { zeros } = this;
    this.zeros = 0;
    return zeros;
  }

  /** Writes data to `target` from `from` on; returns where it ended: at the end of block or target, or before zeros. */
  fill(target: Uint8Array, from: number): number {
    let at = from;
    while (at < target.length) {
      this.expand();
      const count = Math.min(this.waitingEnd - this.waitingFrom, target.length - at);
      if (this.zeros > 0 || count === 0) break;
      target.set(this.memory.subarray(this.waitingFrom, this.waitingFrom + count), at);
      this.waitingFrom += count;
      at += count;
    }
    return at;
  }

  /** Lets more come out where nothing waits: zeros as long as there are only zeros. */
  private expand(): void {
    const { code, output } = this;
    while (this.waitingFrom === this.waitingEnd && code.isDone() === 0) {
      const count = code.expand(code.OUTPUT_BYTES.value);
      if (count >= ZEROS_BYTES && code.isZeroOutput(count) !== 0) this.zeros += count;
      else [this.waitingFrom, this.waitingEnd] = [output, output + count];
    }
  }

  /** Says what is wrong with a block of which all has come out; undefined for nothing. */
  fault(): string | undefined {
    if (this.code.isUnfinished() !== 0) return 'it ends in a run whose length is missing';
    return this.code.outputChecksum() >>> 0 === this.checksum ? undefined : 'its checksum is wrong';
  }

  private check(kind: number): void {
    if (kind === NONE) return;
    const { faultBit, faultNumber } = this.code;
    const message = faults[kind]!.replace('#', String(faultNumber.value));
    throw new Bzip2Fault(message, faultBit.value, kind === CUT);
  }
}
