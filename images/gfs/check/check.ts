import type { ByteSource } from '../../bytes/byte-source.js';
import { FileType, PayloadFormat } from '../constants.js';
import type { Dinode } from '../dinode.js';
import { GfsImage } from '../image.js';
import type { DinodeBlock } from '../volume.js';
import { type CheckedInode, checkDinode, type SpecialInode } from './dinodes.js';
import { FaultList } from './faults.js';
import { checkIndexes } from './indexes.js';
import { checkJournals } from './journals.js';
import { OpenGfsCheckContext } from './opengfs-context.js';
import { checkQuota } from './quota.js';
import { checkResourceGroups } from './resource-groups.js';
import { type CheckOptions, type CheckResult, FAULTS_MAX, resultOf } from './result.js';
import { checkSuperblock } from './superblock.js';
import { checkLinks, checkTree } from './tree.js';

export type { CheckOptions, CheckResult } from './result.js';

/**
 * Checks an OpenGFS filesystem against every rule of the format (see `rules.ts`): the rows of format document §8, in
 * their order, and the journals, which no external tool looks at. Only metadata is read. Never throws on account of
 * the image: whatever is wrong with it is in the result.
 */
export async function checkOpenGfs(device: ByteSource, options: CheckOptions): Promise<CheckResult> {
  const faults = new FaultList(options.limit ?? FAULTS_MAX);
  const superblock = checkSuperblock(device, faults);
  if (superblock === undefined) return resultOf(faults);
  const context = new OpenGfsCheckContext(new GfsImage(device), faults, options.pace);
  checkIndexes(context);
  // Without a group no block can be judged: there would be nothing but faults that follow from that one.
  if (context.groups.length > 0) {
    const quota = await checkSpecialInodes(context);
    await checkRoot(context);
    checkLinks(context);
    await checkResourceGroups(context);
    if (quota !== undefined && !faults.truncated) checkQuota(context, quota);
  }
  await checkJournals(context);
  return resultOf(faults, context);
}

/** Claims the filesystem's own files. Returns the quota file. Older tools made none of quota and license (§12). */
async function checkSpecialInodes(context: OpenGfsCheckContext): Promise<DinodeBlock | undefined> {
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
  context: OpenGfsCheckContext,
  address: number,
  path: string,
  special: SpecialInode,
): Promise<CheckedInode<Dinode> | undefined> {
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

/** Follows every name from the root on. */
async function checkRoot(context: OpenGfsCheckContext): Promise<void> {
  const root = context.image.superblock.root.address;
  const checked = await checkSpecial(context, root, '/', { what: 'root', type: FileType.directory });
  if (checked === undefined || context.image.typeOf(checked.inode.dinode) !== 'directory') return;
  await checkTree(context, checked, '/', (address, holder, path) =>
    checkDinode(context, address, holder, path),
  );
}
