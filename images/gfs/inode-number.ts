import { readUint64BE, writeInt64BE } from '../bytes/integers.js';

/** A reference to a dinode (§3.2): for an inode made offline both numbers are its block. */
export interface InodeNumber {
  /** Never used again once the inode is gone. */
  readonly formal: number;
  /** Block of the dinode. */
  readonly address: number;
}

export const INODE_NUMBER_BYTES = 16;

export function readInodeNumber(bytes: Buffer, offset: number): InodeNumber {
  return { formal: readUint64BE(bytes, offset), address: readUint64BE(bytes, offset + 8) };
}

export function writeInodeNumber(bytes: Buffer, value: InodeNumber, offset: number): void {
  writeInt64BE(bytes, value.formal, offset);
  writeInt64BE(bytes, value.address, offset + 8);
}
