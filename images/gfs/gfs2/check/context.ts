import { readUint64BE } from '../../../bytes/integers.js';
import { CheckContext, type LeafPlace } from '../../check/context.js';
import type { DinodeBlock } from '../../volume.js';
import type { Gfs2Image } from '../image.js';
import type { JournalHead } from '../journal.js';

/** The check of a GFS2 filesystem. */
export class Gfs2CheckContext extends CheckContext<Gfs2Image> {
  /** A kernel lets a file keep blocks for what will be written later (fallocate). */
  readonly allowsBlocksBehindEnd = true;
  /** Block of the dinode that has each formal number. */
  readonly formalNumbers = new Map<number, number>();
  /** The highest formal number. */
  highestFormal = 0;
  /** Heads of the journals that have one. */
  journalHeads: readonly JournalHead[] = [];
  /** The dinodes of the filesystem's own, whose blocks no quota counts. */
  isSystem = false;

  formalOf(address: number): number {
    return this.inodes.get(address)?.formal ?? 0;
  }

  checkBlockCount(inode: DinodeBlock, found: number, path: string): void {
    const { address, dinode } = inode;
    if (dinode.blocks !== found) {
      this.faults.add(
        'dinode-blocks',
        address,
        `the dinode counts ${dinode.blocks} blocks, it has ${found}`,
        path,
      );
    }
    if (!this.isSystem) this.addUse(inode, found);
  }

  /** Old leaves have zeros there (§5). */
  checkLeafFields({ address, directory }: LeafPlace, block: Buffer, path: string): void {
    const named = readUint64BE(block, 40);
    if (named !== 0 && named !== directory) {
      this.faults.add(
        'leaf-directory',
        address,
        `the leaf calls its directory that at block ${named}, it is that at ${directory}`,
        path,
      );
    }
  }

  protected ownPlace(): undefined {
    return undefined;
  }
}
