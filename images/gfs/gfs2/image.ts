import type { ByteSource } from '../../bytes/byte-source.js';
import type { FileTypeName } from '../constants.js';
import { GfsVolume } from '../volume.js';
import { typeOfMode } from './constants.js';
import { GFS2 } from './dialect.js';
import { decodeGfs2Dinode, type Gfs2Dinode } from './dinode.js';
import { type Gfs2Superblock, readGfs2Superblock } from './superblock.js';
import { readSystemFiles, type SystemFiles } from './system-files.js';

/** A GFS2 filesystem on a device. */
export class Gfs2Image extends GfsVolume<Gfs2Dinode> {
  readonly superblock: Gfs2Superblock;
  private files: SystemFiles | undefined;

  /** Throws a DiagnosticError when `device` has no readable superblock. */
  constructor(device: ByteSource) {
    const superblock = readGfs2Superblock(device);
    super(device, GFS2, superblock.blockSize);
    this.superblock = superblock;
  }

  get rootAddress(): number {
    return this.superblock.root.address;
  }

  /** The filesystem's own files. Throws a DiagnosticError when the directories with their names are damaged. */
  get systemFiles(): SystemFiles {
    this.files ??= readSystemFiles(this);
    return this.files;
  }

  get resourceIndexAddress(): number {
    return this.systemFiles.resourceIndex;
  }

  decodeDinode(block: Buffer): Gfs2Dinode {
    return decodeGfs2Dinode(block);
  }

  typeOf({ mode }: Gfs2Dinode): FileTypeName | undefined {
    return typeOfMode(mode);
  }

  /** Only hash tables have headers in their blocks: journaled data of files lies in plain blocks (§4). */
  isJournaled({ mode }: Gfs2Dinode): boolean {
    return typeOfMode(mode) === 'directory';
  }
}
