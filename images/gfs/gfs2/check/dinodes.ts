import { capacityOf } from '../../block-tree.js';
import { checkBlockTree } from '../../check/block-tree.js';
import { Claim } from '../../check/claims.js';
import type { CheckedInode } from '../../check/dinodes.js';
import { DINODE_BYTES, HEIGHT_MAX, PayloadFormat } from '../../constants.js';
import { faultOfHeader } from '../../metadata-header.js';
import { type DinodeBlock, isHashed } from '../../volume.js';
import { DINODE_FLAGS_KNOWN, Gfs2DinodeFlag } from '../constants.js';
import { decodeGfs2Dinode, type Gfs2Dinode } from '../dinode.js';
import { checkAttributes } from './attributes.js';
import type { Gfs2CheckContext } from './context.js';

type Inode = DinodeBlock<Gfs2Dinode>;

const NANOSECONDS = 1_000_000_000;

/**
 * Claims a dinode and all its blocks, and checks everything about it that no directory need be known for. Returns
 * it, or undefined when it is no dinode.
 */
export async function checkGfs2Dinode(
  context: Gfs2CheckContext,
  address: number,
  holder: number,
  path: string,
): Promise<CheckedInode<Gfs2Dinode> | undefined> {
  const { faults, image } = context;
  if (!context.claim(address, Claim.dinode, holder, 'a dinode', path)) return undefined;
  const block = image.readBlock(address);
  const fault = faultOfHeader(block, 'dinode');
  if (fault !== undefined) {
    faults.add('dinode-header', address, fault, path);
    return undefined;
  }
  const inode: Inode = { address, block, dinode: decodeGfs2Dinode(block) };
  const { dinode } = inode;
  const type = image.typeOf(dinode);
  context.inodes.set(address, {
    formal: dinode.number.formal,
    type: type === undefined ? -1 : image.dialect.fileTypes[type],
    links: dinode.links,
    found: 0,
    path,
  });
  checkNumber(context, inode, path);
  checkFields(context, inode, path);
  let blocks = 1;
  if (checkShape(context, inode, path) && dinode.height > 0)
    blocks += await checkBlockTree(context, inode, path);
  blocks += checkAttributes(context, inode, path);
  // Leaves of a hashed directory are counted when its table is followed.
  if (type !== 'directory' || !isHashed(inode)) context.checkBlockCount(inode, blocks, path);
  return { inode, treeBlocks: blocks };
}

function checkNumber(context: Gfs2CheckContext, { address, dinode }: Inode, path: string): void {
  const { formal } = dinode.number;
  if (dinode.number.address !== address || formal === 0 || !Number.isFinite(formal)) {
    context.faults.add(
      'dinode-number',
      address,
      `the dinode calls itself ${formal}/${dinode.number.address}`,
      path,
    );
  }
  const group = context.groupOf(address);
  if (group === undefined) return;
  const { generation } = dinode;
  if (generation > (context.latest.get(group.address)?.generation ?? 0))
    context.latest.set(group.address, { address, generation });
}

function checkFields(context: Gfs2CheckContext, inode: Inode, path: string): void {
  const { faults, image } = context;
  const { address, dinode } = inode;
  if (image.typeOf(dinode) === undefined)
    faults.add('dinode-type', address, `mode 0${dinode.mode.toString(8)}`, path);
  for (const { seconds, nanoseconds } of [dinode.accessTime, dinode.writeTime, dinode.changeTime]) {
    if (!Number.isFinite(seconds)) faults.add('dinode-time', address, 'a time is beyond any calendar', path);
    if (nanoseconds >= NANOSECONDS)
      faults.add('dinode-time', address, `a time has ${nanoseconds} nanoseconds`, path);
  }
  const isDirectory = image.typeOf(dinode) === 'directory';
  const payload = expectedPayload(context, inode);
  if (payload !== undefined && dinode.payloadFormat !== payload) {
    faults.add(
      'dinode-payload',
      address,
      `payload format ${dinode.payloadFormat} instead of ${payload}`,
      path,
    );
  }
  if (isDirectory && (dinode.flags & Gfs2DinodeFlag.journaledData) === 0)
    faults.add('dinode-flags', address, 'a directory is not journaled data', path);
  if (!isDirectory && isHashed(inode))
    faults.add('dinode-flags', address, 'a hash table on something that is no directory', path);
  const unknown = (dinode.flags & ~DINODE_FLAGS_KNOWN) >>> 0;
  if (unknown !== 0) faults.add('dinode-flags', address, `unknown flags 0x${unknown.toString(16)}`, path);
  for (const goal of [dinode.goalMetadata, dinode.goalData]) {
    if (!(goal < image.blockCount))
      faults.add('dinode-goal', address, `its goal is block ${goal}, outside the device`, path);
  }
}

/** That of the filesystem's own files is checked with them. */
function expectedPayload({ image, isSystem }: Gfs2CheckContext, inode: Inode): number | undefined {
  if (image.typeOf(inode.dinode) === 'directory')
    return isHashed(inode) ? PayloadFormat.none : PayloadFormat.directory;
  return isSystem ? undefined : PayloadFormat.none;
}

/** Height and size. False when the tree can't be followed. */
function checkShape({ image, faults }: Gfs2CheckContext, inode: Inode, path: string): boolean {
  const { address, dinode, block } = inode;
  const { size, height } = dinode;
  const type = image.typeOf(dinode);
  const stuffedOnly = type !== 'file' && type !== 'directory';
  if (height > HEIGHT_MAX || (stuffedOnly && height > 0)) {
    faults.add('dinode-height', address, `a ${type ?? 'dinode'} of height ${height}`, path);
    return false;
  }
  if (!Number.isFinite(size) || size > capacityOf(image.geometry, height, image.isJournaled(dinode))) {
    faults.add('dinode-size', address, `${size} bytes do not fit height ${height}`, path);
    return height > 0;
  }
  if (type === 'symlink') {
    const isWhole = size >= 1 && size < image.geometry.stuffedBytes;
    if (!isWhole || block.indexOf(0, DINODE_BYTES) !== DINODE_BYTES + size) {
      faults.add(
        'symlink-target',
        address,
        `a symbolic link of ${size} bytes is empty, too long, or its first zero is not right behind it`,
        path,
      );
    }
  } else if (stuffedOnly && size !== 0) {
    faults.add('dinode-size', address, `a ${type ?? 'dinode'} of ${size} bytes`, path);
  }
  return true;
}
