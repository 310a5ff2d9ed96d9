import { readUint64BE } from '../../bytes/integers.js';
import { isZero } from '../../bytes/zeros.js';
import { capacityOf } from '../block-tree.js';
import { DINODE_BYTES, DinodeFlag, FileType, fileTypeName, HEIGHT_MAX, PayloadFormat } from '../constants.js';
import { type Dinode, decodeDinode } from '../dinode.js';
import { faultOfHeader } from '../metadata-header.js';
import { type DinodeBlock as AnyDinodeBlock, type BaseDinode, isHashed } from '../volume.js';
import { checkBlockTree } from './block-tree.js';
import { Claim } from './claims.js';
import type { OpenGfsCheckContext } from './opengfs-context.js';

type DinodeBlock = AnyDinodeBlock<Dinode>;

const RESERVED_OFFSET = 176;

/** Every flag there is (§2). */
const FLAGS_KNOWN = 0xc00001ff;

/** What a dinode must be where the superblock, and not a directory, refers to it. */
export interface SpecialInode {
  readonly what: string;
  readonly type: number;
  /** The payload formats it may have; undefined where that follows from the type. */
  readonly payloads?: readonly number[];
}

/** An inode whose blocks are claimed. */
export interface CheckedInode<D extends BaseDinode = BaseDinode> {
  readonly inode: AnyDinodeBlock<D>;
  /** Blocks of the dinode, its tree and its attributes; leaves of a directory are not among them. */
  readonly treeBlocks: number;
}

/**
 * Claims a dinode and all its blocks, and checks everything about it that no directory need be known for. Returns
 * it, or undefined when it is no dinode; `special` says which of the filesystem's own inodes it is.
 */
export async function checkDinode(
  context: OpenGfsCheckContext,
  address: number,
  holder: number,
  path: string,
  special?: SpecialInode,
): Promise<CheckedInode<Dinode> | undefined> {
  const { faults } = context;
  if (!context.claim(address, Claim.dinode, holder, 'a dinode', path)) return undefined;
  const inode = readInode(context, address, path);
  if (inode === undefined) return undefined;
  const { dinode } = inode;
  context.inodes.set(address, {
    formal: dinode.number.formal,
    type: dinode.type,
    links: dinode.links,
    found: 0,
    path,
  });
  if (dinode.number.address !== address || dinode.number.formal !== address) {
    faults.add(
      'dinode-number',
      address,
      `the dinode calls itself ${dinode.number.formal}/${dinode.number.address}`,
      path,
    );
  }
  checkFields(context, inode, path, special);
  let blocks = 1;
  if (checkShape(context, inode, path) && dinode.height > 0)
    blocks += await checkBlockTree(context, inode, path);
  blocks += checkAttributes(context, inode, path);
  // Leaves of a hashed directory are counted when its table is followed.
  if (dinode.type !== FileType.directory || !isHashed(inode)) context.checkBlockCount(inode, blocks, path);
  return { inode, treeBlocks: blocks };
}

function readInode(context: OpenGfsCheckContext, address: number, path: string): DinodeBlock | undefined {
  const block = context.image.readBlock(address);
  const fault = faultOfHeader(block, 'dinode');
  if (fault === undefined) return { address, block, dinode: decodeDinode(block) };
  context.faults.add('dinode-header', address, fault, path);
  return undefined;
}

function checkFields(
  context: OpenGfsCheckContext,
  { address, dinode, block }: DinodeBlock,
  path: string,
  special?: SpecialInode,
): void {
  const { faults } = context;
  if (fileTypeName(dinode.type) === undefined)
    faults.add('dinode-type', address, `unknown file type ${dinode.type}`, path);
  if (special !== undefined && dinode.type !== special.type) {
    faults.add('superblock-inode', address, `the ${special.what} inode has the file type ${dinode.type}`);
  }
  if (dinode.mode > 0o7777) faults.add('dinode-mode', address, `mode 0${dinode.mode.toString(8)}`, path);
  for (const time of [dinode.accessTime, dinode.modificationTime, dinode.changeTime]) {
    if (!Number.isFinite(time)) faults.add('dinode-time', address, 'a time is beyond any calendar', path);
  }
  const payloads = special?.payloads ?? [expectedPayload({ address, dinode, block })];
  if (!payloads.includes(dinode.payloadFormat)) {
    faults.add(
      'dinode-payload',
      address,
      `payload format ${dinode.payloadFormat} instead of ${payloads.join(' or ')}`,
      path,
    );
  }
  checkFlags(context, { address, dinode, block }, path, special);
  if (!isZero(block.subarray(RESERVED_OFFSET, DINODE_BYTES)) || block.readUInt16BE(144) !== 0) {
    faults.add('reserved-not-zero', address, 'a reserved field of the dinode is not zero', path);
  }
  checkGroup(context, { address, dinode, block }, path, special);
}

function checkFlags(
  { image, faults }: OpenGfsCheckContext,
  { address, dinode }: DinodeBlock,
  path: string,
  special?: SpecialInode,
): void {
  const isDirectory = dinode.type === FileType.directory;
  if ((isDirectory || special !== undefined) && !image.isJournaled(dinode)) {
    faults.add(
      'dinode-flags',
      address,
      `${isDirectory ? 'a directory' : 'a file of the filesystem'} is not journaled data`,
      path,
    );
  }
  if (!isDirectory && (dinode.flags & DinodeFlag.hashedDirectory) !== 0) {
    faults.add('dinode-flags', address, 'a hash table on something that is no directory', path);
  }
  if ((dinode.flags & DinodeFlag.unused) !== 0)
    faults.add('dinode-flags', address, 'the dinode in use is marked as unused', path);
  const unknown = (dinode.flags & ~FLAGS_KNOWN) >>> 0;
  if (unknown !== 0) faults.add('dinode-flags', address, `unknown flags 0x${unknown.toString(16)}`, path);
}

function expectedPayload(inode: DinodeBlock): number {
  if (inode.dinode.type !== FileType.directory) return PayloadFormat.none;
  return isHashed(inode) ? PayloadFormat.none : PayloadFormat.directory;
}

/** The fields name the group and lie inside it; mkfs leaves all four zero in what it makes. */
function checkGroup(
  context: OpenGfsCheckContext,
  { address, dinode }: DinodeBlock,
  path: string,
  special?: SpecialInode,
): void {
  const { faults } = context;
  const fields = [
    dinode.resourceGroup,
    dinode.goalResourceGroup,
    dinode.goalDataBlock,
    dinode.goalMetadataBlock,
  ];
  if (special !== undefined && fields.every((field) => field === 0)) return;
  const own = context.groupOf(address);
  if (own !== undefined && dinode.resourceGroup !== own.address) {
    faults.add(
      'dinode-group',
      address,
      `the dinode names the resource group at block ${dinode.resourceGroup}, it lies in that at ${own.address}`,
      path,
    );
  }
  const goal = context.groupAt(dinode.goalResourceGroup);
  if (goal === undefined) {
    faults.add(
      'dinode-group',
      address,
      `its goal is the resource group at block ${dinode.goalResourceGroup}, and there is none`,
      path,
    );
  } else if (dinode.goalDataBlock >= goal.data || dinode.goalMetadataBlock >= goal.data) {
    faults.add(
      'dinode-group',
      address,
      `its goal block lies outside the resource group at block ${goal.address}`,
      path,
    );
  }
}

/** Height and size. False when the tree can't be followed. */
function checkShape(
  { image, faults }: OpenGfsCheckContext,
  { address, dinode, block }: DinodeBlock,
  path: string,
): boolean {
  const { size, height, type } = dinode;
  const stuffedOnly = type !== FileType.file && type !== FileType.directory;
  if (height > HEIGHT_MAX || (stuffedOnly && height > 0)) {
    faults.add(
      'dinode-height',
      address,
      `a dinode of type ${fileTypeName(type) ?? type} and height ${height}`,
      path,
    );
    return false;
  }
  if (!Number.isFinite(size) || size > capacityOf(image.geometry, height, image.isJournaled(dinode))) {
    faults.add('dinode-size', address, `${size} bytes do not fit height ${height}`, path);
    return height > 0;
  }
  if (type === FileType.symlink) {
    if (
      size < 1 ||
      size >= image.geometry.stuffedBytes ||
      block.indexOf(0, DINODE_BYTES) !== DINODE_BYTES + size
    ) {
      faults.add(
        'symlink-target',
        address,
        `a symbolic link of ${size} bytes is empty, too long, or its first zero is not right behind it`,
        path,
      );
    }
  } else if (stuffedOnly && size !== 0) {
    faults.add(
      'dinode-size',
      address,
      `a dinode of type ${fileTypeName(type) ?? type} with ${size} bytes`,
      path,
    );
  }
  return true;
}

/** Claims the blocks of extended attributes, as far as the format document knows them. Returns how many. */
function checkAttributes(
  context: OpenGfsCheckContext,
  { address, dinode }: DinodeBlock,
  path: string,
): number {
  const { attributes, flags } = dinode;
  if (attributes === 0) return 0;
  const { image, faults } = context;
  context.hasAttributes = true;
  if (!context.claim(attributes, Claim.metadata, address, 'a block of extended attributes', path)) return 0;
  const block = image.readBlock(attributes);
  const indirect = (flags & DinodeFlag.indirectAttributes) !== 0;
  const fault = faultOfHeader(block, indirect ? 'indirect' : 'extendedAttribute');
  if (fault !== undefined) {
    faults.add('attribute-block', attributes, fault, path);
    return 1;
  }
  let blocks = 1;
  for (let index = 0; indirect && index < image.geometry.indirectPointers; index++) {
    const pointer = readUint64BE(block, image.geometry.indirectHeaderBytes + index * 8);
    if (
      pointer === 0 ||
      !context.claim(pointer, Claim.metadata, attributes, 'a block of extended attributes', path)
    )
      continue;
    blocks += 1;
    const faultBelow = faultOfHeader(image.readBlock(pointer), 'extendedAttribute');
    if (faultBelow !== undefined) faults.add('attribute-block', pointer, faultBelow, path);
  }
  return blocks;
}
