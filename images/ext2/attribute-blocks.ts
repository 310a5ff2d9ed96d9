import type { TreeNode } from '../tree/node.js';
import { ATTRIBUTE_REFERENCES_MAX, attributesKey } from './plan.js';
import { attributeBlock, setReferences } from './xattr-block.js';

/** A block of attributes that inodes may still be pointed at. */
interface Shared {
  address: number;
  /** How many more inodes may share it. */
  room: number;
  /** Inodes with these attributes that have no block yet. */
  waiting: number;
}

/** Gives inodes their blocks of extended attributes: those with equal ones share a block. */
export class AttributeBlocks {
  private readonly shared: Map<string, Shared>;

  /** `uses` says how many inodes will ask for each block. */
  constructor(
    private readonly blockSize: number,
    uses: ReadonlyMap<string, number>,
    private readonly write: (block: Buffer) => number,
  ) {
    this.shared = new Map([...uses].map(([key, waiting]) => [key, { address: 0, room: 0, waiting }]));
  }

  /** The block for an inode of this node; 0 where it needs none. */
  addressFor({ xattrs }: TreeNode): number {
    if (xattrs === undefined) return 0;
    const stored = attributeBlock(xattrs, this.blockSize);
    if (typeof stored === 'number' || stored.block === undefined) return 0;
    const shared = this.shared.get(attributesKey(stored.block));
    if (shared === undefined) return 0;
    if (shared.room === 0) {
      shared.room = Math.min(shared.waiting, ATTRIBUTE_REFERENCES_MAX);
      setReferences(stored.block, shared.room);
      shared.address = this.write(stored.block);
    }
    shared.room -= 1;
    shared.waiting -= 1;
    return shared.address;
  }
}
