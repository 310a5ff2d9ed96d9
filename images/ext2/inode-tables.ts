import type { ByteSink } from '../bytes/sparse-file.js';
import { type Ext2Layout, groupLayout } from './layout.js';

/**
 * The inode tables, filled in ascending order of the inode numbers, so that one group's table at a time is in memory.
 * Only the root and the reserved inodes lie out of order, and all of them in the first group.
 */
export class InodeTables {
  private readonly table: Buffer;
  private group = 0;

  /** `onTable` is shown each table that has inodes before it is written. */
  constructor(
    private readonly layout: Ext2Layout,
    private readonly sink: ByteSink,
    private readonly onTable: (table: Buffer) => void,
  ) {
    this.table = Buffer.alloc(layout.tableBlocks * layout.blockSize);
  }

  /** The record of an inode, all zero, to be filled before the next one is asked for. */
  record(number: number): Buffer {
    const { inodesPerGroup, inodeSize } = this.layout;
    const group = Math.floor((number - 1) / inodesPerGroup);
    while (this.group < group) this.nextGroup();
    const offset = ((number - 1) % inodesPerGroup) * inodeSize;
    return this.table.subarray(offset, offset + inodeSize);
  }

  /** Writes the table at hand, and those behind it, which are empty. */
  finish(): void {
    this.nextGroup();
    for (; this.group < this.layout.groups; this.group++) this.write();
  }

  private nextGroup(): void {
    this.onTable(this.table);
    this.write();
    this.table.fill(0);
    this.group += 1;
  }

  private write(): void {
    this.sink.write(this.table, groupLayout(this.layout, this.group).inodeTable * this.layout.blockSize);
  }
}
