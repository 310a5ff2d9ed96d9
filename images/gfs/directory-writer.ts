import type { ByteString } from '../bytes/byte-string.js';
import { writeInt64BE } from '../bytes/integers.js';
import { heightFor } from './block-tree.js';
import { BlockTreeWriter, type MetadataBlocks } from './block-tree-writer.js';
import { DINODE_BYTES, DinodeFlag, HEADER_BYTES, LEAF_HEADER_BYTES, PayloadFormat } from './constants.js';
import { countLeafBlocks, type DirectoryPlan, type PlannedName } from './directory-plan.js';
import { encodeDirent } from './dirent.js';
import type { Geometry } from './geometry.js';
import type { InodeNumber } from './inode-number.js';
import { writeMetadataHeader } from './metadata-header.js';

/** What a name in a directory stands for: known once the child has its dinode. */
export interface DirectoryTarget {
  readonly inode: InodeNumber;
  readonly type: number;
}

/** Writes what a dialect's leaves have besides the fields of all; `position` leaves stand before it in its chain. */
export type LeafFields = (block: Buffer, position: number) => void;

/** What a directory's dinode says about its entries (§3.7, §5). */
export interface DirectoryShape {
  readonly size: number;
  readonly height: number;
  readonly depth: number;
  readonly flags: number;
  readonly payloadFormat: number;
  readonly entries: number;
  /** Blocks besides the dinode. */
  readonly blocks: number;
}

/**
 * Writes a directory's entries, in two steps: `constructor` takes its blocks, next to its dinode; `write` fills them
 * when every child has a dinode.
 */
export class DirectoryWriter {
  private readonly leaves: number[] = [];
  private readonly table: number[] = [];

  constructor(
    private readonly geometry: Geometry,
    private readonly plan: DirectoryPlan,
    private readonly blocks: MetadataBlocks,
    private readonly leafFields: LeafFields,
  ) {
    for (let count = countLeafBlocks(plan); count > 0; count--) this.leaves.push(blocks.allocateMetadata());
    if (plan.kind === 'hashed' && this.tableHeight > 0) {
      // The table's data blocks; indirect blocks, where it needs any, are taken when it is written.
      const count = Math.ceil(this.tableBytes / geometry.journaledBytes);
      for (let index = 0; index < count; index++) this.table.push(blocks.allocateMetadata());
    }
  }

  /** Writes all but the dinode itself, whose block gets the entries or the hash table behind the dinode. */
  write(dinodeBlock: Buffer, targets: (name: ByteString) => DirectoryTarget): DirectoryShape {
    const { geometry, plan } = this;
    if (plan.kind === 'linear') {
      writeChain(dinodeBlock, DINODE_BYTES, plan.names, targets);
      return {
        size: geometry.stuffedBytes,
        height: 0,
        depth: 0,
        flags: DinodeFlag.journaledData,
        payloadFormat: PayloadFormat.directory,
        entries: plan.names.length,
        blocks: 0,
      };
    }
    const { table, entries } = this.writeLeaves(targets);
    const indirect = this.writeTable(dinodeBlock, table);
    return {
      size: this.tableBytes,
      height: this.tableHeight,
      depth: plan.depth,
      flags: DinodeFlag.journaledData | DinodeFlag.hashedDirectory,
      payloadFormat: PayloadFormat.none,
      entries,
      blocks: this.leaves.length + this.table.length + indirect,
    };
  }

  private get tableBytes(): number {
    return this.plan.kind === 'hashed' ? 8 * 2 ** this.plan.depth : 0;
  }

  private get tableHeight(): number {
    // 1 MiB, the largest table, fits at any block size.
    return heightFor(this.geometry, this.tableBytes, true) ?? 0;
  }

  private writeLeaves(targets: (name: ByteString) => DirectoryTarget): { table: Buffer; entries: number } {
    const table = Buffer.alloc(this.tableBytes);
    let entries = 0;
    let used = 0;
    for (const leaf of this.plan.kind === 'hashed' ? this.plan.leaves : []) {
      const first = this.leaves[used]!;
      for (let pointer = 0; pointer < leaf.pointers; pointer++) {
        writeInt64BE(table, first, (leaf.firstPointer + pointer) * 8);
      }
      for (const [position, names] of leaf.chain.entries()) {
        const next = position + 1 < leaf.chain.length ? this.leaves[used + 1]! : 0;
        this.writeLeaf(this.leaves[used]!, leaf.depth, position, names, next, targets);
        used += 1;
        entries += names.length;
      }
    }
    return { table, entries };
  }

  private writeLeaf(
    address: number,
    depth: number,
    position: number,
    names: readonly PlannedName[],
    next: number,
    targets: (name: ByteString) => DirectoryTarget,
  ): void {
    const block = Buffer.alloc(this.geometry.blockSize);
    writeMetadataHeader(block, 'leaf');
    block.writeUInt16BE(depth, 24);
    block.writeUInt16BE(names.length, 26);
    block.writeUInt32BE(PayloadFormat.directory, 28);
    writeInt64BE(block, next, 32);
    this.leafFields(block, position);
    writeChain(block, LEAF_HEADER_BYTES, names, targets);
    this.blocks.writeBlock(address, block);
  }

  /** Returns the number of indirect blocks that the table took. */
  private writeTable(dinodeBlock: Buffer, table: Buffer): number {
    if (this.tableHeight === 0) {
      table.copy(dinodeBlock, DINODE_BYTES);
      return 0;
    }
    let indirect = 0;
    const tree = new BlockTreeWriter(this.geometry, this.tableHeight, dinodeBlock, {
      allocateMetadata: () => {
        indirect += 1;
        return this.blocks.allocateMetadata();
      },
      writeBlock: (address, block) => this.blocks.writeBlock(address, block),
    });
    const { journaledBytes, blockSize } = this.geometry;
    for (const [logical, address] of this.table.entries()) {
      tree.prepare(logical);
      tree.set(logical, address, 1);
      const block = Buffer.alloc(blockSize);
      writeMetadataHeader(block, 'journaledData');
      table.copy(block, HEADER_BYTES, logical * journaledBytes, (logical + 1) * journaledBytes);
      this.blocks.writeBlock(address, block);
    }
    tree.finish();
    return indirect;
  }
}

/** A chain of dirents from `start` to the end of the block: the last record takes what is left (§5). */
function writeChain(
  block: Buffer,
  start: number,
  names: readonly PlannedName[],
  targets: (name: ByteString) => DirectoryTarget,
): void {
  if (names.length === 0) {
    // An empty leaf holds one record with no inode and no name (§5 "Growth").
    block.writeUInt16BE(block.length - start, start + 20);
    return;
  }
  let offset = start;
  for (const [index, { name, hash, recordBytes }] of names.entries()) {
    const length = index + 1 < names.length ? recordBytes : block.length - offset;
    encodeDirent(block, { ...targets(name), hash, name }, offset, length);
    offset += length;
  }
}
