import { type ByteSource, readBytes } from '../../bytes/byte-source.js';
import type { Pace } from '../../bytes/pace.js';
import { readResourceIndex } from '../indexes.js';
import { faultOfHeader } from '../metadata-header.js';
import { Gfs2Image } from './image.js';
import { decodeGfs2ResourceGroup } from './resource-group.js';
import { ownDinodes } from './system-files.js';

/** A GFS2 filesystem's facts at a glance. */
export interface Gfs2Summary {
  readonly filesystemFormat: number;
  readonly multihostFormat: number;
  readonly uuid: string;
  readonly blockSize: number;
  /** Byte strings, as the superblock has them. */
  readonly lockProtocol: string;
  readonly lockTable: string;
  /** Length of each in bytes. */
  readonly journals: readonly number[];
  readonly resourceGroups: number;
  /** Blocks that files can have, journals among them, and how many are free: the sums over the resource groups. */
  readonly allocatableBlocks: number;
  readonly freeBlocks: number;
  /** Dinodes in use, the filesystem's own included. */
  readonly usedDinodes: number;
  /** How many of them are the filesystem's own. */
  readonly ownDinodes: number;
}

/** Reads the superblock, the names of the filesystem's own files and the counters of every resource group. */
export async function summariseGfs2(device: ByteSource, pace: Pace): Promise<Gfs2Summary> {
  const image = new Gfs2Image(device);
  const { blockSize } = image.geometry;
  let allocatableBlocks = 0;
  let freeBlocks = 0;
  let usedDinodes = 0;
  const groups = readResourceIndex(image);
  for (const group of groups) {
    const block = readBytes(device, group.address * blockSize, blockSize);
    const fault = faultOfHeader(block, 'resourceGroup');
    if (fault !== undefined) throw image.error(group.address, fault);
    const { free, dinodes } = decodeGfs2ResourceGroup(block);
    allocatableBlocks += group.data;
    freeBlocks += free;
    usedDinodes += dinodes;
    if (pace.due()) await pace.breathe();
  }
  const { filesystemFormat, multihostFormat, uuid, lockProtocol, lockTable } = image.superblock;
  const { journals } = image.systemFiles;
  return {
    filesystemFormat,
    multihostFormat,
    uuid,
    blockSize,
    lockProtocol,
    lockTable,
    journals: journals.map((address) => image.readDinode(address, 'the journal index').dinode.size),
    resourceGroups: groups.length,
    allocatableBlocks,
    freeBlocks,
    usedDinodes,
    ownDinodes: ownDinodes(image.systemFiles),
  };
}
