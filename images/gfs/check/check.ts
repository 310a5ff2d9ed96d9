import type { ByteSource } from '../../bytes/byte-source.js';
import type { Pace } from '../../bytes/pace.js';
import { FileType, PayloadFormat } from '../constants.js';
import type { DinodeBlock } from '../image.js';
import { GfsImage } from '../image.js';
import { CheckContext } from './context.js';
import { type CheckedInode, checkDinode, type SpecialInode } from './dinodes.js';
import { checkDirectory, childPath, type FoundName } from './directories.js';
import { type Fault, FaultList } from './faults.js';
import { checkIndexes } from './indexes.js';
import { checkJournals } from './journals.js';
import { checkQuota } from './quota.js';
import { checkResourceGroups } from './resource-groups.js';
import { checkSuperblock } from './superblock.js';

export interface CheckOptions {
  readonly pace: Pace;
  /** The check ends when there are more faults than this; 1000 unless given. */
  readonly limit?: number;
}

export interface CheckResult {
  readonly faults: readonly Fault[];
  /** There were more faults than the limit. */
  readonly truncated: boolean;
  /** Inodes found, the filesystem's own included. */
  readonly inodes: number;
  readonly directories: number;
  /** Regular files that have a name. */
  readonly files: number;
  /** Blocks that inodes own. */
  readonly blocksUsed: number;
}

const FAULTS_MAX = 1000;

/**
 * Checks an OpenGFS filesystem against every rule of the format (see `rules.ts`): the rows of format document §8, in
 * their order, and the journals, which no external tool looks at. Only metadata is read. Never throws on account of
 * the image: whatever is wrong with it is in the result.
 */
export async function checkOpenGfs(device: ByteSource, options: CheckOptions): Promise<CheckResult> {
  const faults = new FaultList(options.limit ?? FAULTS_MAX);
  const superblock = checkSuperblock(device, faults);
  if (superblock === undefined) return resultOf(faults);
  const context = new CheckContext(new GfsImage(device), faults, options.pace);
  checkIndexes(context);
  // Without a group no block can be judged: there would be nothing but faults that follow from that one.
  if (context.groups.length > 0) {
    const quota = await checkSpecialInodes(context);
    await checkTree(context);
    checkLinks(context);
    await checkResourceGroups(context);
    if (quota !== undefined && !faults.truncated) checkQuota(context, quota);
  }
  await checkJournals(context);
  return resultOf(faults, context);
}

function resultOf(faults: FaultList, context?: CheckContext): CheckResult {
  return {
    faults: faults.faults,
    truncated: faults.truncated,
    inodes: context?.inodes.size ?? 0,
    directories: context?.directories ?? 0,
    files: context?.files ?? 0,
    blocksUsed: context?.blocksUsed ?? 0,
  };
}

/** Claims the filesystem's own files. Returns the quota file. Older tools made none of quota and license (§12). */
async function checkSpecialInodes(context: CheckContext): Promise<DinodeBlock | undefined> {
  const { journalIndex, resourceIndex, license, quota } = context.image.superblock;
  const special = async (address: number, what: string, payloads: readonly number[]) => {
    const checked = await checkSpecial(context, address, `(${what})`, {
      what,
      type: FileType.file,
      payloads,
    });
    const facts = context.inodes.get(address);
    // The superblock is their one link.
    if (facts !== undefined) facts.found += 1;
    return checked?.inode;
  };
  await special(journalIndex.address, 'journal index', [PayloadFormat.journalIndex]);
  await special(resourceIndex.address, 'resource index', [PayloadFormat.resourceIndex]);
  // mkfs gives the license file the number of the quota file (§7).
  if (license.address !== 0)
    await special(license.address, 'license', [PayloadFormat.quota, PayloadFormat.none]);
  return quota.address === 0 ? undefined : special(quota.address, 'quota', [PayloadFormat.quota]);
}

async function checkSpecial(
  context: CheckContext,
  address: number,
  path: string,
  special: SpecialInode,
): Promise<CheckedInode | undefined> {
  const { superblockBlock } = context.image.geometry;
  const checked = await checkDinode(context, address, superblockBlock, path, special);
  if (checked === undefined) {
    context.faults.add(
      'superblock-inode',
      superblockBlock,
      `the superblock has the ${special.what} inode at block ${address}, where there is no dinode of its own`,
    );
  }
  return checked;
}

/** A directory that is claimed but not yet read. Its block is read again: hostile images have very many of them. */
interface PendingDirectory {
  readonly address: number;
  readonly treeBlocks: number;
  readonly parent: number;
  readonly path: string;
}

/** Follows every name from the root on, without recursion. */
async function checkTree(context: CheckContext): Promise<void> {
  const { faults, pace, image } = context;
  const root = image.superblock.root.address;
  const checked = await checkSpecial(context, root, '/', { what: 'root', type: FileType.directory });
  if (checked === undefined || checked.inode.dinode.type !== FileType.directory) return;
  const pending: PendingDirectory[] = [
    { address: root, treeBlocks: checked.treeBlocks, parent: root, path: '/' },
  ];
  for (let next = pending.pop(); next !== undefined && !faults.truncated; next = pending.pop()) {
    context.directories += 1;
    const facts = context.inodes.get(next.address)!;
    facts.found += 2;
    const inode = image.readDinode(next.address, next.path);
    const names = checkDirectory(context, { inode, treeBlocks: next.treeBlocks }, next.parent, next.path);
    for (const name of names) {
      if (pace.due()) await pace.breathe();
      if (faults.truncated) return;
      const child = await checkName(context, name, next);
      if (child === undefined) continue;
      facts.found += 1;
      pending.push(child);
    }
  }
}

/** Checks what a name stands for. Returns it when it is a directory to go into. */
async function checkName(
  context: CheckContext,
  { dirent, block }: FoundName,
  directory: PendingDirectory,
): Promise<PendingDirectory | undefined> {
  const { faults } = context;
  const path = childPath(directory.path, dirent.name);
  const { address } = dirent.inode;
  const known = context.inodes.get(address);
  let checked: CheckedInode | undefined;
  if (known === undefined) {
    checked = await checkDinode(context, address, block, path);
    if (checked === undefined) {
      faults.add(
        'dirent-target',
        block,
        `the name refers to block ${address}, which is no dinode of its own`,
        path,
      );
      return undefined;
    }
  }
  const facts = context.inodes.get(address)!;
  if (dirent.type !== facts.type)
    faults.add(
      'dirent-type',
      block,
      `the dirent has file type ${dirent.type}, its dinode ${facts.type}`,
      path,
    );
  if (dirent.inode.formal !== facts.formal) {
    faults.add(
      'dirent-formal',
      block,
      `the dirent has formal number ${dirent.inode.formal}, its dinode ${facts.formal}`,
      path,
    );
  }
  if (facts.type !== FileType.directory) {
    facts.found += 1;
    if (checked !== undefined && facts.type === FileType.file) context.files += 1;
    return undefined;
  }
  if (checked === undefined) {
    faults.add(
      'directory-parents',
      block,
      `the directory at block ${address} is ${facts.path} already`,
      path,
    );
    return undefined;
  }
  return { address, treeBlocks: checked.treeBlocks, parent: directory.address, path };
}

function checkLinks({ inodes, faults }: CheckContext): void {
  if (faults.truncated) return;
  for (const [address, { links, found, path }] of inodes) {
    if (links !== found)
      faults.add('link-count', address, `the dinode counts ${links} links, there are ${found}`, path);
  }
}
