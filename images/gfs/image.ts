import type { ByteSource } from '../bytes/byte-source.js';
import { DinodeFlag, type FileTypeName, fileTypeName } from './constants.js';
import { OPENGFS } from './dialect.js';
import { type Dinode, decodeDinode } from './dinode.js';
import { readSuperblock, type Superblock } from './superblock.js';
import { GfsVolume } from './volume.js';

/** An OpenGFS filesystem on a device. */
export class GfsImage extends GfsVolume<Dinode> {
  readonly superblock: Superblock;

  /** Throws a DiagnosticError when `device` has no readable superblock. */
  constructor(device: ByteSource) {
    const superblock = readSuperblock(device);
    super(device, OPENGFS, superblock.blockSize);
    this.superblock = superblock;
  }

  get rootAddress(): number {
    return this.superblock.root.address;
  }

  get resourceIndexAddress(): number {
    return this.superblock.resourceIndex.address;
  }

  decodeDinode(block: Buffer): Dinode {
    return decodeDinode(block);
  }

  typeOf(dinode: Dinode): FileTypeName | undefined {
    return fileTypeName(dinode.type);
  }

  isJournaled(dinode: Dinode): boolean {
    return (dinode.flags & DinodeFlag.journaledData) !== 0;
  }
}
