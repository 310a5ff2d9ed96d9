import {
  chmodSync,
  closeSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { type ByteString, bytesOf, textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { hostError } from '../../images/diagnostic.js';
import { piecesOf } from '../../images/tree/content.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { FileNode, LeafNode, TreeNode } from '../../images/tree/node.js';
import { writeSparsely } from '../../images/tree/write-sparsely.js';
import { configureRoot } from '../configure/configure-root.js';
import type { ReportLine } from '../configure/report.js';
import type { ConfigureSettings, Recipe } from '../recipe/recipe.js';
import { nodesOf, settingsFor } from '../stages/configure.js';

/**
 * What the HOWTO's sections 5.6 and 5.8 leave to the reader's editor, done to a mounted root: the recipe's files and
 * keys, the inittab, the network scripts, the hosts. `sources` has what the recipe's files come from. Every name is
 * looked up inside the root: its symbolic links lead nowhere else. Returns what was done.
 */
export async function editRoot(
  recipe: Recipe,
  root: string,
  sources: ReadonlyMap<string, TreeNode>,
  pace: Pace,
): Promise<readonly ReportLine[]> {
  const before = await treeOfDirectory(root, pace);
  const { ubd: _ubd, ...settings }: ConfigureSettings = {
    ...settingsFor(recipe, recipe.ssh !== undefined),
    removeServices: [],
    remove: [],
  };
  const { tree, report } = configureRoot(before, settings, {
    epoch: recipe.epoch,
    distribution: recipe.distribution,
    nodes: nodesOf(recipe),
    sources: new Map(sources),
    faultAt: (path, message, hint) => recipe.faultAt(path, message, hint),
  });
  // A directory in which something changed keeps what it is, but for its time.
  const changed: { path: ByteString; node: TreeNode }[] = [];
  if (tree.root !== before.root) changed.push({ path: '/', node: tree.root });
  for (const { path, node } of tree.entries()) {
    if (pace.due()) await pace.breathe();
    const old = before.get(path);
    if (old === node) continue;
    if (node.type === 'directory' && old?.type === 'directory') {
      changed.push({ path, node });
      continue;
    }
    await put(root, path, node, old, pace);
  }
  // Last: what is put into a directory changes its time.
  for (const { path, node } of changed) {
    if (node.mtime.seconds === recipe.epoch) touch(root, path);
  }
  return report;
}

/** Made or changed just now: what becomes the recipe's time in the end. */
function touch(root: string, path: ByteString): void {
  const now = new Date();
  utimesSync(Buffer.concat([Buffer.from(root), bytesOf(path)]), now, now);
}

async function put(
  root: string,
  path: ByteString,
  node: TreeNode,
  old: TreeNode | undefined,
  pace: Pace,
): Promise<void> {
  const target = Buffer.concat([Buffer.from(root), bytesOf(path)]);
  try {
    if (node.type === 'directory') mkdirSync(target);
    else await putLeaf(target, node, old, pace);
    lchownSync(target, node.uid, node.gid);
    if (node.type !== 'symlink') chmodSync(target, node.mode & 0o7777);
  } catch (cause) {
    throw readableHostError(cause, textFromByteString(path));
  }
}

async function putLeaf(target: Buffer, node: LeafNode, old: TreeNode | undefined, pace: Pace): Promise<void> {
  // Other names of a file keep what they had; nothing is written through a link.
  const isInPlace = old?.type === 'file' && node.type === 'file' && lstatSync(target).nlink === 1;
  if (old !== undefined && !isInPlace) unlinkSync(target);
  if (node.type === 'symlink') return symlinkSync(bytesOf(node.target), target);
  if (node.type !== 'file')
    throw hostError(
      `a ${node.type} can't be laid into a mounted root`,
      'Use the native backend for this recipe.',
    );
  await write(target, node, isInPlace ? 'w' : 'wx', pace);
}

async function write(target: Buffer, node: FileNode, flags: 'w' | 'wx', pace: Pace): Promise<void> {
  const descriptor = openSync(target, flags, 0o600);
  try {
    ftruncateSync(descriptor, node.size);
    for (const { offset, bytes } of piecesOf(node.content, node.size)) {
      writeSparsely(descriptor, bytes, offset);
      if (pace.due()) await pace.breathe();
    }
    // Written just now, whatever the clock of the root's filesystem rounds to.
    const now = new Date();
    futimesSync(descriptor, now, now);
  } finally {
    closeSync(descriptor);
  }
}
