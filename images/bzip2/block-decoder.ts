import { BlockHeader } from './block-header.js';
import { BlockColumn } from './block-symbols.js';
import { Bzip2Fault, MAX_BLOCK_BYTES } from './format.js';
import { derandomise } from './randomisation.js';
import { Rotations } from './rotations.js';
import { RunExpander } from './runs.js';
import type { CompressedWindow } from './window.js';

/** Decodes one block after the other, in any order. Takes some 13 MiB of memory. */
export class BlockDecoder {
  private readonly header = new BlockHeader();
  private readonly column = new BlockColumn();
  private readonly rotations = new Rotations();
  private readonly text = new Uint8Array(MAX_BLOCK_BYTES);
  private readonly runs = new RunExpander(this.text);

  /**
   * Begins with the block at `bit` and reads all of it, so that only `fill` is left to do. Throws a Bzip2Fault,
   * with `cut` set where the window ends before the block does.
   */
  begin(window: CompressedWindow, bit: number): void {
    const { header, column } = this;
    header.read(window, bit);
    column.read(window, header);
    if (header.origin >= column.length) throw new Bzip2Fault('its origin is outside of it', bit);
    this.rotations.undo(column.bytes, column.counts, column.length, header.origin, this.text);
    if (header.randomised) derandomise(this.text, column.length);
    this.runs.begin(column.length);
  }

  /** Bytes of the block with runs still short: what its stream's level limits. */
  get length(): number {
    return this.column.length;
  }

  /** Where the block ends in the window. */
  get endBit(): number {
    return this.column.endBit;
  }

  /** Checksum of the block's data, as the file has it. */
  get checksum(): number {
    return this.header.checksum;
  }

  /** Whether all of the block's data has come out. */
  get done(): boolean {
    return this.runs.done;
  }

  /** Writes data to `target` from `from` on; returns where it ended. `view` shows the same bytes. */
  fill(target: Uint8Array, view: DataView, from: number): number {
    return this.runs.fill(target, view, from);
  }

  /** Says what is wrong with a block of which all has come out; undefined for nothing. */
  fault(): string | undefined {
    if (this.runs.cut) return 'it ends in a run whose length is missing';
    return this.runs.checksum === this.header.checksum ? undefined : 'its checksum is wrong';
  }
}
