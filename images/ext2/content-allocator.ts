import { type Ext2Layout, type GroupLayout, groupLayout } from './layout.js';

/** Consecutive blocks. */
export interface BlockRange {
  readonly address: number;
  readonly count: number;
}

/**
 * Hands out the blocks for content from front to back, without gaps: what is in use of a group is always its
 * beginning, so that bitmaps follow from a number and need no memory.
 */
export class ContentAllocator {
  private group = 0;
  private layoutOfGroup: GroupLayout;
  /** The next block to hand out. */
  private next: number;

  constructor(private readonly layout: Ext2Layout) {
    this.layoutOfGroup = groupLayout(layout, 0);
    this.next = this.layoutOfGroup.first + this.layoutOfGroup.overhead;
  }

  /** At least one and at most `wanted` consecutive blocks; undefined when none is left. */
  take(wanted: number): BlockRange | undefined {
    while (this.next === this.layoutOfGroup.first + this.layoutOfGroup.blocks) {
      if (this.group + 1 === this.layout.groups) return undefined;
      this.group += 1;
      this.layoutOfGroup = groupLayout(this.layout, this.group);
      this.next = this.layoutOfGroup.first + this.layoutOfGroup.overhead;
    }
    const address = this.next;
    const left = this.layoutOfGroup.first + this.layoutOfGroup.blocks - address;
    const count = Math.min(wanted, left);
    this.next += count;
    return { address, count };
  }

  /** Blocks in use at the beginning of a group, what lies in front of the content included. */
  usedIn(group: number): number {
    const { first, blocks, overhead } = groupLayout(this.layout, group);
    if (group < this.group) return blocks;
    return group === this.group ? this.next - first : overhead;
  }
}
