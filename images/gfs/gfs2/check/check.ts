import type { ByteSource } from '../../../bytes/byte-source.js';
import { FaultList } from '../../check/faults.js';
import { checkResourceIndex } from '../../check/indexes.js';
import { type CheckOptions, type CheckResult, FAULTS_MAX, resultOf } from '../../check/result.js';
import { checkLinks, checkTree } from '../../check/tree.js';
import type { InodeNumber } from '../../inode-number.js';
import { Gfs2Image } from '../image.js';
import type { SystemFiles } from '../system-files.js';
import { Gfs2CheckContext } from './context.js';
import { checkGfs2Dinode } from './dinodes.js';
import { checkGfs2Journals } from './journals.js';
import { checkGfs2Quota } from './quota.js';
import { checkGfs2ResourceGroups } from './resource-groups.js';
import { checkStatfs } from './statfs.js';
import { checkGfs2Superblock } from './superblock.js';
import { checkSystemFiles } from './system-files.js';

export interface CheckGfs2Options extends CheckOptions {
  /**
   * Whether quota values are compared with what their owners use. They need not be right once a kernel has written:
   * it counts only when it is told to at mount time.
   */
  readonly quotaValues?: boolean;
}

/**
 * Checks a GFS2 filesystem against every rule of the format (see `rules.ts`). Only metadata is read, and all blocks
 * of the journals. Never throws on account of the image: whatever is wrong with it is in the result.
 */
export async function checkGfs2(device: ByteSource, options: CheckGfs2Options): Promise<CheckResult> {
  const faults = new FaultList(options.limit ?? FAULTS_MAX);
  if (checkGfs2Superblock(device, faults) === undefined) return resultOf(faults);
  const context = new Gfs2CheckContext(new Gfs2Image(device), faults, options.pace);
  const files = checkSystemFiles(context);
  if (files === undefined) return resultOf(faults, context);
  checkResourceIndex(context, files.resourceIndex, []);
  // Without a group no block can be judged: there would be nothing but faults that follow from that one.
  if (context.groups.length > 0) await checkContent(context, files, options.quotaValues ?? false);
  return resultOf(faults, context);
}

async function checkContent(
  context: Gfs2CheckContext,
  files: SystemFiles,
  quotaValues: boolean,
): Promise<void> {
  const { faults, image } = context;
  const { root, master } = image.superblock;
  await checkDirectoryTree(context, root, '/');
  const { directories, files: names } = context;
  context.isSystem = true;
  await checkDirectoryTree(context, master, '(master)');
  // What is counted is the user's.
  Object.assign(context, { directories, files: names });
  checkLinks(context);
  const totals = await checkGfs2ResourceGroups(context);
  if (faults.truncated) return;
  checkStatfs(context, files, totals);
  await checkGfs2Journals(context, files.journals);
  await faults.attemptSlowly('quota-file', files.quota, () => checkGfs2Quota(context, files, quotaValues));
}

/** Follows every name from the root, or from the directory of the filesystem's own files, on. */
async function checkDirectoryTree(
  context: Gfs2CheckContext,
  { formal, address }: InodeNumber,
  path: string,
): Promise<void> {
  const { image, faults } = context;
  const { superblockBlock } = image.geometry;
  const top = await checkGfs2Dinode(context, address, superblockBlock, path);
  if (top === undefined || image.typeOf(top.inode.dinode) !== 'directory') {
    faults.add(
      'superblock-inode',
      superblockBlock,
      `the superblock has the directory ${path} at block ${address}, where there is none of its own`,
    );
    return;
  }
  if (top.inode.dinode.number.formal !== formal) {
    faults.add(
      'superblock-inode',
      superblockBlock,
      `the superblock has the formal number ${formal} for the directory ${path}, its dinode ${top.inode.dinode.number.formal}`,
    );
  }
  await checkTree(context, top, path, (child, holder, name) => checkGfs2Dinode(context, child, holder, name));
}
