import { type ByteSource, readBytes } from '../../bytes/byte-source.js';
import { isZero } from '../../bytes/zeros.js';
import { SUPERBLOCK_OFFSET } from '../constants.js';
import { isBlockSize } from '../geometry.js';
import type { InodeNumber } from '../inode-number.js';
import { faultOfHeader } from '../metadata-header.js';
import {
  decodeSuperblock,
  GFS2_FILESYSTEM_FORMAT_MIN,
  SUPERBLOCK_BYTES,
  type Superblock,
} from '../superblock.js';
import type { FaultList } from './faults.js';

const knownFormats = { filesystem: [1305, 1306, 1307, 1308, 1309], multihost: [1400, 1401] } as const;
const nameFields = [
  ['lock protocol', 96],
  ['lock table', 160],
] as const;
/** Shortest journal segment (§7, "Refusals measured"). */
export const SEGMENT_BLOCKS_MIN = 2;
const NAME_FIELD_BYTES = 64;
const RESERVED_OFFSET = 256;

/** Checks the superblock. Undefined when nothing behind it can be read. */
export function checkSuperblock(device: ByteSource, faults: FaultList): Superblock | undefined {
  if (device.size < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) {
    faults.add('superblock-header', undefined, `${device.size} bytes are too few for a superblock`);
    return undefined;
  }
  const bytes = readBytes(device, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  const superblock = decodeSuperblock(bytes);
  const block = isBlockSize(superblock.blockSize) ? SUPERBLOCK_OFFSET / superblock.blockSize : undefined;
  const headerFault = faultOfHeader(bytes, 'superblock');
  if (headerFault !== undefined) {
    faults.add('superblock-header', block, headerFault);
    return undefined;
  }
  if (block === undefined) {
    faults.add(
      'superblock-block-size',
      undefined,
      `block size ${superblock.blockSize} is no power of two from 512 to 65536`,
    );
    return undefined;
  }
  checkNumbers(superblock, block, faults);
  if (superblock.filesystemFormat >= GFS2_FILESYSTEM_FORMAT_MIN) return undefined;
  checkNames(bytes, block, faults);
  checkInodeNumbers(superblock, block, faults);
  const rest = Math.min(superblock.blockSize, device.size - SUPERBLOCK_OFFSET);
  const whole = readBytes(device, SUPERBLOCK_OFFSET, rest);
  if (!isZero(whole.subarray(RESERVED_OFFSET)))
    faults.add('reserved-not-zero', block, 'the superblock has something behind its last field');
  return superblock;
}

function checkNumbers(superblock: Superblock, block: number, faults: FaultList): void {
  const { filesystemFormat, multihostFormat, blockSize, blockSizeShift, segmentBlocks } = superblock;
  if (!(knownFormats.filesystem as readonly number[]).includes(filesystemFormat)) {
    faults.add('superblock-format', block, `filesystem format ${filesystemFormat}`);
  }
  if (!(knownFormats.multihost as readonly number[]).includes(multihostFormat)) {
    faults.add('superblock-format', block, `multihost format ${multihostFormat}`);
  }
  if (2 ** blockSizeShift !== blockSize) {
    faults.add('superblock-block-size', block, `shift ${blockSizeShift} with a block size of ${blockSize}`);
  }
  if (segmentBlocks < SEGMENT_BLOCKS_MIN)
    faults.add('superblock-segment', block, `journal segments of ${segmentBlocks} blocks`);
  if (superblock.flags !== 0)
    faults.add('reserved-not-zero', block, `superblock flags 0x${superblock.flags.toString(16)}`);
}

function checkNames(bytes: Buffer, block: number, faults: FaultList): void {
  for (const [what, offset] of nameFields) {
    const field = bytes.subarray(offset, offset + NAME_FIELD_BYTES);
    const end = field.indexOf(0);
    if (end < 0) faults.add('superblock-name', block, `the ${what} has no end`);
    else if (!isZero(field.subarray(end)))
      faults.add('superblock-name', block, `the ${what} has something behind its end`);
  }
}

function checkInodeNumbers(superblock: Superblock, block: number, faults: FaultList): void {
  const numbers: readonly (readonly [string, InodeNumber])[] = [
    ['journal index', superblock.journalIndex],
    ['resource index', superblock.resourceIndex],
    ['root', superblock.root],
    ['quota', superblock.quota],
    ['license', superblock.license],
  ];
  for (const [what, { formal, address }] of numbers) {
    if (formal !== address)
      faults.add(
        'superblock-inode',
        block,
        `the ${what} inode has formal number ${formal} and block ${address}`,
      );
  }
  const addresses = numbers.map(([, { address }]) => address).filter((address) => address !== 0);
  if (new Set(addresses).size !== addresses.length)
    faults.add('superblock-inode', block, 'two of its inodes are the same');
}
