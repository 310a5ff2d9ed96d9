import { readUint64BE } from '../../../bytes/integers.js';
import { CheckContext, type LeafPlace } from '../../check/context.js';
import type { DinodeBlock } from '../../volume.js';
import { direntTypes, OPEN_DIRENT_TYPE } from '../constants.js';
import type { Gfs2Image } from '../image.js';

/** The check of a GFS2 filesystem. */
export class Gfs2CheckContext extends CheckContext<Gfs2Image> {
  /** A kernel lets a file keep blocks for what will be written later (fallocate). */
  readonly allowsBlocksBehindEnd = true;
  /** The dinode with the highest generation in each resource group, by the group's address. */
  readonly latest = new Map<number, { readonly address: number; readonly generation: number }>();
  /** The dinodes of the filesystem's own, whose blocks no quota counts. */
  isSystem = false;

  formalOf(address: number): number {
    return this.inodes.get(address)?.formal ?? 0;
  }

  /** That of a device may be left open (§5). */
  acceptsDirentType(type: number, wanted: number): boolean {
    const isDevice = wanted === direntTypes.block || wanted === direntTypes.character;
    return type === wanted || (isDevice && type === OPEN_DIRENT_TYPE);
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
