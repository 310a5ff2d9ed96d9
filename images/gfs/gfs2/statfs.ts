import { readInt64BE, readUint64BE, writeInt64BE } from '../../bytes/integers.js';
import { DINODE_BYTES } from '../constants.js';
import type { DinodeBlock } from '../volume.js';
import { INUM_BYTES, STATFS_BYTES } from './constants.js';
import type { Gfs2Dinode } from './dinode.js';
import type { Gfs2Image } from './image.js';

/** What statfs(2) tells of a filesystem, or what a node has changed of that (docs/gfs2-format.md §6): blocks. */
export interface StatfsRecord {
  readonly total: number;
  readonly free: number;
  readonly dinodes: number;
}

/** Reads a statfs file. Throws a DiagnosticError when it is none. */
export function readStatfs(image: Gfs2Image, address: number): StatfsRecord {
  const block = readSmallFile(image, address, STATFS_BYTES, 'a statfs file').block;
  return {
    total: readInt64BE(block, DINODE_BYTES),
    free: readInt64BE(block, DINODE_BYTES + 8),
    dinodes: readInt64BE(block, DINODE_BYTES + 16),
  };
}

/** The block of the statfs file with other numbers. */
export function statfsBlock(image: Gfs2Image, address: number, record: StatfsRecord): Buffer {
  const block = Buffer.from(readSmallFile(image, address, STATFS_BYTES, 'a statfs file').block);
  writeInt64BE(block, record.total, DINODE_BYTES);
  writeInt64BE(block, record.free, DINODE_BYTES + 8);
  writeInt64BE(block, record.dinodes, DINODE_BYTES + 16);
  return block;
}

/** The formal number that the next inode gets. Throws a DiagnosticError when the file with it is none. */
export function readNextInodeNumber(image: Gfs2Image, address: number): number {
  return readUint64BE(readSmallFile(image, address, INUM_BYTES, 'an inum file').block, DINODE_BYTES);
}

/** The block of the inum file with another number. */
export function inodeNumberBlock(image: Gfs2Image, address: number, next: number): Buffer {
  const block = Buffer.from(readSmallFile(image, address, INUM_BYTES, 'an inum file').block);
  writeInt64BE(block, next, DINODE_BYTES);
  return block;
}

/** A file of the filesystem's own whose one record lies behind its dinode. */
export function readSmallFile(
  image: Gfs2Image,
  address: number,
  bytes: number,
  what: string,
): DinodeBlock<Gfs2Dinode> {
  const file = image.readDinode(address, "the filesystem's own files");
  const { height, size } = file.dinode;
  if (height !== 0 || size !== bytes)
    throw image.error(address, `${what} of ${size} bytes and height ${height}, not ${bytes} and 0`);
  return file;
}
