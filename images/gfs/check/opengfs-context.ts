import { isZero } from '../../bytes/zeros.js';
import { HEADER_BYTES, LEAF_HEADER_BYTES } from '../constants.js';
import type { GfsImage } from '../image.js';
import type { JournalIndexRecord } from '../journal.js';
import type { DinodeBlock } from '../volume.js';
import { CheckContext, type LeafPlace } from './context.js';

/** The check of an OpenGFS filesystem. */
export class OpenGfsCheckContext extends CheckContext<GfsImage> {
  readonly allowsBlocksBehindEnd = false;
  journals: readonly JournalIndexRecord[] = [];
  /** Some inode has extended attributes. */
  hasAttributes = false;
  /** Blocks of attribute data that inodes count: no pointer to them is followed, the format document has none. */
  attributeData = 0;

  /** For an inode made offline both numbers are its block (§3.2). */
  formalOf(address: number): number {
    return address;
  }

  acceptsDirentType(type: number, wanted: number): boolean {
    return type === wanted;
  }

  checkBlockCount(inode: DinodeBlock, found: number, path: string): void {
    const { address, dinode } = inode;
    let owned = found;
    if (dinode.attributes !== 0 && dinode.blocks > found && dinode.blocks <= this.image.blockCount) {
      // Values of large attributes: their blocks are counted, but nothing says where the pointers to them stand.
      this.attributeData += dinode.blocks - found;
      owned = dinode.blocks;
    } else if (dinode.blocks !== found) {
      this.faults.add(
        'dinode-blocks',
        address,
        `the dinode counts ${dinode.blocks} blocks, it has ${found}`,
        path,
      );
    }
    this.addUse(inode, owned);
  }

  checkLeafFields({ address }: LeafPlace, block: Buffer, path: string): void {
    if (!isZero(block.subarray(HEADER_BYTES + 16, LEAF_HEADER_BYTES))) {
      this.faults.add('reserved-not-zero', address, 'a reserved field of the leaf is not zero', path);
    }
  }

  protected ownPlace(block: number): string | undefined {
    const { segmentBlocks } = this.image.superblock;
    const journal = this.journals.findIndex(
      ({ address, segments }) => block >= address && block < address + segments * segmentBlocks,
    );
    return journal < 0 ? undefined : `in journal ${journal}`;
  }
}
