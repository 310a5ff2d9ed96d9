import { type ByteSource, readBytes } from '../../../bytes/byte-source.js';
import type { FaultList } from '../../check/faults.js';
import { SUPERBLOCK_OFFSET } from '../../constants.js';
import { isBlockSize } from '../../geometry.js';
import { faultOfHeader } from '../../metadata-header.js';
import { GFS2_FILESYSTEM_FORMAT_MIN } from '../../superblock.js';
import { FilesystemFormat, MULTIHOST_FORMAT } from '../constants.js';
import {
  decodeGfs2Superblock,
  GFS2_SUPERBLOCK_BYTES,
  type Gfs2Superblock,
  gfs2SuperblockOffsets,
} from '../superblock.js';

const NAME_FIELD_BYTES = 64;

/** Checks the superblock. Undefined when nothing behind it can be read. */
export function checkGfs2Superblock(device: ByteSource, faults: FaultList): Gfs2Superblock | undefined {
  if (device.size < SUPERBLOCK_OFFSET + GFS2_SUPERBLOCK_BYTES) {
    faults.add('superblock-header', undefined, `${device.size} bytes are too few for a superblock`);
    return undefined;
  }
  const bytes = readBytes(device, SUPERBLOCK_OFFSET, GFS2_SUPERBLOCK_BYTES);
  const superblock = decodeGfs2Superblock(bytes);
  const { blockSize, blockSizeShift, filesystemFormat, multihostFormat } = superblock;
  const block = isBlockSize(blockSize) ? SUPERBLOCK_OFFSET / blockSize : undefined;
  const headerFault = faultOfHeader(bytes, 'superblock');
  if (headerFault !== undefined) {
    faults.add('superblock-header', block, headerFault);
    return undefined;
  }
  if (block === undefined) {
    faults.add(
      'superblock-block-size',
      undefined,
      `block size ${blockSize} is no power of two from 512 to 65536`,
    );
    return undefined;
  }
  const known: readonly number[] = Object.values(FilesystemFormat);
  if (!known.includes(filesystemFormat))
    faults.add('superblock-format', block, `filesystem format ${filesystemFormat}`);
  if (filesystemFormat < GFS2_FILESYSTEM_FORMAT_MIN) return undefined;
  if (multihostFormat !== MULTIHOST_FORMAT)
    faults.add('superblock-format', block, `multihost format ${multihostFormat}`);
  if (2 ** blockSizeShift !== blockSize) {
    faults.add('superblock-block-size', block, `shift ${blockSizeShift} with a block size of ${blockSize}`);
  }
  const { lockProtocol, lockTable } = gfs2SuperblockOffsets;
  for (const [what, offset] of [
    ['lock protocol', lockProtocol],
    ['lock table', lockTable],
  ] as const) {
    if (!bytes.subarray(offset, offset + NAME_FIELD_BYTES).includes(0))
      faults.add('superblock-name', block, `the ${what} has no end`);
  }
  if (superblock.root.address === superblock.master.address)
    faults.add('superblock-inode', block, 'the root and the master directory are the same');
  return superblock;
}
