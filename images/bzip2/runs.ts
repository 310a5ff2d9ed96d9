import { CRC_START, crcOf, crcOfZeros, crcValue } from './crc.js';
import { RUN_BYTES } from './format.js';

/** From here on it is cheaper to call the engine's own fill than to loop. */
const LONG_RUN = 32;

/**
 * Lengthens the runs of a block's text: four equal bytes are followed by the number of further ones. A block of
 * 900,000 bytes can come out as 46 million, so this goes on from where the last buffer was full.
 */
export class RunExpander {
  private position = 0;
  private length = 0;
  /** Where the last run's number ended: bytes before it begin no run. */
  private runStart = 0;
  /** The last four bytes. */
  private latest = 0;
  private repeated = 0;
  private left = 0;
  private crc = CRC_START;
  private unfinished = false;

  constructor(private readonly text: Uint8Array) {}

  /** Begins with the first `length` bytes of the text. */
  begin(length: number): void {
    this.length = length;
    this.position = 0;
    this.runStart = 0;
    this.latest = 0;
    this.left = 0;
    this.crc = CRC_START;
    this.unfinished = false;
  }

  /** Whether all of the text has come out. */
  get done(): boolean {
    return this.position === this.length && this.left === 0;
  }

  /** Whether the text ended where the number of a run should have been. */
  get cut(): boolean {
    return this.unfinished;
  }

  /** Checksum of all that came out. */
  get checksum(): number {
    return crcValue(this.crc);
  }

  /** Writes to `target` from `from` on; returns where it ended: at the end of the text or of the target. */
  fill(target: Uint8Array, view: DataView, from: number): number {
    let at = from;
    let summed = from;
    for (;;) {
      if (this.left > 0) {
        const count = Math.min(this.left, target.length - at);
        const end = at + count;
        if (count < LONG_RUN) for (; at < end; at++) target[at] = this.repeated;
        else {
          target.fill(this.repeated, at, end);
          if (this.repeated === 0) {
            this.crc = crcOfZeros(crcOf(this.crc, target, view, summed, at), count);
            summed = end;
          }
        }
        at = end;
        this.left -= count;
      }
      if (at === target.length || this.position === this.length) break;
      at = this.copyToRun(target, at);
    }
    this.crc = crcOf(this.crc, target, view, summed, at);
    return at;
  }

  /** Copies up to and with the four bytes of a run, or to the end of text or target. */
  private copyToRun(target: Uint8Array, from: number): number {
    const { text, length } = this;
    let at = from;
    let position = this.position;
    let latest = this.latest;
    const end = position + Math.min(length - position, target.length - at);
    while (position < end) {
      const byte = text[position++]!;
      target[at++] = byte;
      latest = (latest << 8) | byte;
      if (latest !== Math.imul(byte, 0x01010101) || position - this.runStart < RUN_BYTES) continue;
      this.repeated = byte;
      if (position === length) this.unfinished = true;
      else this.left = text[position++]!;
      this.runStart = position;
      break;
    }
    this.position = position;
    this.latest = latest;
    return at;
  }
}
