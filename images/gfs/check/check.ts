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
  /** The check ends when there are more faults than this. */
  readonly limit?: number;
}

export interface CheckResult {
  readonly faults: readonly Fault[];
  /** There were more faults than the limit. */
  readonly truncated: boolean;
  /** Inodes found, the filesystem's own included. */
  readonly inodes: number;
  readonly directories: number;
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
  const quota = await checkSpecialInodes(context);
  await checkTree(context);
  checkLinks(context);
  await checkResourceGroups(context);
  if (quota !== undefined && !faults.truncated) checkQuota(context, quota);
  await checkJournals(context);
  return resultOf(faults, context);
}

function resultOf(faults: FaultList, context?: CheckContext): CheckResult {
  return {
    faults: faults.faults,
    truncated: faults.truncated,
    inodes: context?.inodes.size ?? 0,
    directories: context?.directories ?? 0,
    blocksUsed: context?.blocksUsed ?? 0,
  };
}

/** Claims the filesystem's own files. Returns the quota file. Older tools made none of quota and license (§12). */
async function checkSpecialInodes(context: CheckContext): Promise<DinodeBlock | undefined> {
  const { superblock, geometry } = context.image;
  const special = async (address: number, inode: SpecialInode): Promise<DinodeBlock | undefined> => {
    const checked = await checkDinode(context, address, geometry.superblockBlock, `the ${inode.what}`, inode);
    const facts = context.inodes.get(address);
    // The superblock is their one link.
    if (facts !== undefined) facts.found = 1;
    return checked?.inode;
  };
  const file = FileType.file;
  await special(superblock.journalIndex.address, {
    what: 'journal index',
    type: file,
    payload: PayloadFormat.journalIndex,
  });
  await special(superblock.resourceIndex.address, {
    what: 'resource index',
    type: file,
    payload: PayloadFormat.resourceIndex,
  });
  const license = superblock.license.address;
  if (license !== 0) {
    const inode = await special(license, { what: 'license', type: file });
    if (
      inode !== undefined &&
      inode.dinode.payloadFormat !== PayloadFormat.quota &&
      inode.dinode.payloadFormat !== PayloadFormat.none
    ) {
      context.faults.add(
        'license-file',
        license,
        `payload format ${inode.dinode.payloadFormat} (mkfs writes ${PayloadFormat.quota})`,
      );
    }
  }
  if (superblock.quota.address === 0) return undefined;
  return special(superblock.quota.address, { what: 'quota', type: file, payload: PayloadFormat.quota });
}

interface OpenDirectory {
  readonly checked: CheckedInode;
  readonly address: number;
  readonly parent: number;
  readonly path: string;
}

/** Follows every name from the root on, without recursion. */
async function checkTree(context: CheckContext): Promise<void> {
  const { faults, pace, image } = context;
  const root = image.superblock.root.address;
  const checked = await checkDinode(context, root, image.geometry.superblockBlock, '/', {
    what: 'root',
    type: FileType.directory,
    ...rootPayload(context),
  });
  if (checked === undefined || checked.inode.dinode.type !== FileType.directory) return;
  const pending: OpenDirectory[] = [{ checked, address: root, parent: root, path: '/' }];
  for (let next = pending.pop(); next !== undefined && !faults.truncated; next = pending.pop()) {
    context.directories += 1;
    const facts = context.inodes.get(next.address)!;
    facts.found = 2;
    for (const name of checkDirectory(context, next.checked, next.parent, next.path)) {
      if (pace.due()) await pace.breathe();
      if (faults.truncated) return;
      const child = await checkName(context, name, next);
      if (child === undefined) continue;
      facts.found += 1;
      pending.push(child);
    }
  }
}

/** The payload format of the root depends on whether it is hashed, which its own check knows. */
function rootPayload({ image, faults }: CheckContext): { payload?: number } {
  const { address } = image.superblock.root;
  if (!(address > 0 && address < image.blockCount)) return {};
  const flags =
    faults.attempt('superblock-inode', address, () => image.readBlock(address).readUInt32BE(128)) ?? 0;
  return { payload: (flags & 2) !== 0 ? PayloadFormat.none : PayloadFormat.directory };
}

/** Checks what a name stands for. Returns it when it is a directory to go into. */
async function checkName(
  context: CheckContext,
  { dirent, block }: FoundName,
  directory: OpenDirectory,
): Promise<OpenDirectory | undefined> {
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
  return { checked, address, parent: directory.address, path };
}

function checkLinks({ inodes, faults }: CheckContext): void {
  if (faults.truncated) return;
  for (const [address, { links, found, path }] of inodes) {
    if (links !== found)
      faults.add('link-count', address, `the dinode counts ${links} links, there are ${found}`, path);
  }
}
