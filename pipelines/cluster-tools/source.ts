import { mkdirSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { hostError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import { extractTree } from '../../images/tree/extract.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { Attributes, DirectoryNode, LeafNode, Timestamp, TreeNode } from '../../images/tree/node.js';
import { entriesBelow, type Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';

/** Where make looks for its rules, in this order. */
const MAKEFILES = ['GNUmakefile', 'makefile', 'Makefile'];
/** More is not read to find the names of rules. */
const MAKEFILE_BYTES_MAX = 1024 * 1024;

/** Sources that are ready to be built. */
export interface PreparedSource {
  /** Rules of the Makefile that install a cluster root, such as `install_ssi_redhat`; sorted. */
  readonly rules: readonly string[];
}

/**
 * Copies sources to `destination`, which must not exist: a tree (of a tar), or a directory on the host, which is
 * never built in. A single directory at the top, as release archives have it, is taken off. What is built depends on
 * the sources alone: everything belongs to this user, modes are as after umask 022, and files of a host directory
 * get the time `epoch` (seconds) and only keep whether they are executable. Devices, fifos and sockets are left out.
 * Throws a DiagnosticError when there is no Makefile, or the disk is full.
 */
export async function prepareSource(
  source: Tree | string,
  destination: string,
  epoch: number,
  pace: Pace,
): Promise<PreparedSource> {
  const isHost = typeof source === 'string';
  const name = isHost ? source : 'the archive of the cluster tools';
  const tree = isHost ? await treeOfDirectory(source, pace) : source;
  const top = topOf(tree);
  if (!hasMakefile(top)) {
    throw hostError(
      'the sources of the cluster tools have no Makefile',
      'Name the archive or folder that has it at its top, or in the only directory there.',
      { file: name },
    );
  }
  const time = isHost ? { seconds: epoch, nanoseconds: 0 } : undefined;
  const root = await buildable(top, time, pace);
  try {
    mkdirSync(destination);
  } catch (cause) {
    throw readableHostError(cause, destination);
  }
  await extractTree(root, destination, {}, pace);
  return { rules: rulesOf(top) };
}

function topOf(tree: Tree): DirectoryNode {
  const { root } = tree;
  const [only] = root.entries.values();
  return root.entries.size === 1 && only?.type === 'directory' ? only : root;
}

function hasMakefile(directory: DirectoryNode): boolean {
  return MAKEFILES.some((name) => directory.entries.has(name));
}

async function buildable(
  top: DirectoryNode,
  time: Timestamp | undefined,
  pace: Pace,
): Promise<DirectoryNode> {
  const builder = new TreeBuilder();
  const made = new Map<TreeNode, LeafNode>();
  for (const { path, node } of entriesBelow(top, '/')) {
    if (pace.due()) await pace.breathe();
    if (node.type === 'directory') {
      builder.directory(path, buildableAttributes(node, time));
    } else if (node.type === 'file' || node.type === 'symlink') {
      const copy = made.get(node) ?? { ...node, ...buildableAttributes(node, time), xattrs: new Map() };
      made.set(node, copy);
      builder.put(path, copy);
    }
  }
  return builder.build().root;
}

function buildableAttributes(node: TreeNode, time: Timestamp | undefined): Attributes {
  const ids = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const isExecutable = node.type === 'directory' || (node.mode & 0o111) !== 0;
  const fixed = isExecutable ? 0o755 : 0o644;
  const kept = (node.mode & 0o755) | (node.type === 'directory' ? 0o700 : 0o600);
  return time === undefined
    ? { ...ids, mode: kept, mtime: node.mtime }
    : { ...ids, mode: fixed, mtime: time };
}

/** The names before a colon, at the start of a line. */
const ruleLine = /^([^\s#:=][^#:=]*):(?!=)/gm;

function rulesOf(top: DirectoryNode): string[] {
  const rules = new Set<string>();
  for (const [name, node] of top.entries) {
    if (!/^(?:GNUm|[mM])akefile|\.mk$/.test(name)) continue;
    if (node.type !== 'file' || node.size > MAKEFILE_BYTES_MAX) continue;
    const text = readContent(node.content, node.size).toString('latin1');
    for (const [, names = ''] of text.matchAll(ruleLine)) {
      for (const rule of names.split(/\s+/)) if (/^install_ssi_\w+$/.test(rule)) rules.add(rule);
    }
  }
  return [...rules].sort();
}
