import { createHash } from 'node:crypto';
import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { printable } from '../../images/diagnostic.js';
import { piecesOf, sha256Of } from '../../images/tree/content.js';
import { type FileNode, sizeOf, type TreeNode } from '../../images/tree/node.js';
import { countSubdirectories, type Fidelity, type Tree } from '../../images/tree/tree.js';
import {
  type KernelEntry,
  type KernelListing,
  SAMPLE_BYTES,
  SAMPLED_BYTES,
  samplesOf,
} from './kernel-listing.js';

/**
 * How what the kernel shows differs from a Tree: a sentence a difference, none when all is as it should be.
 *
 * Not compared: access and change times, lengths of directories, nanoseconds that the Tree's format does not keep,
 * and device numbers and extended attributes where the listing has none.
 */
export function compareListings(expected: Tree, actual: KernelListing): string[] {
  const differences: string[] = [];
  const links = expected.linkCounts();
  const digests = new Map<TreeNode, string>();
  const inodes = new Map<TreeNode, number>();
  const owners = new Map<number, TreeNode>();
  const seen = new Set<ByteString>();
  for (const { path, node } of expected.entries()) {
    seen.add(path);
    const entry = actual.get(path);
    const shown = printable(textFromByteString(path));
    if (entry === undefined) {
      differences.push(`${shown}: missing`);
      continue;
    }
    for (const [what, wanted, found] of factsOf(node, entry, links, digests, expected.fidelity)) {
      if (wanted !== found) differences.push(`${shown}: ${what} is ${found}, should be ${wanted}`);
    }
    // Names of one file share an inode, and nothing else does.
    const inode = inodes.get(node) ?? entry.inode;
    const owner = owners.get(entry.inode) ?? node;
    if (inode !== entry.inode) differences.push(`${shown}: not the same file as its other names`);
    if (owner !== node) differences.push(`${shown}: has the inode of another file`);
    inodes.set(node, inode);
    owners.set(entry.inode, owner);
  }
  for (const path of actual.keys()) {
    if (!seen.has(path)) differences.push(`${printable(textFromByteString(path))}: should not be there`);
  }
  return differences;
}

type Fact = readonly [what: string, wanted: string | number, found: string | number];

function factsOf(
  node: TreeNode,
  entry: KernelEntry,
  links: ReadonlyMap<TreeNode, number>,
  digests: Map<TreeNode, string>,
  fidelity: Fidelity,
): Fact[] {
  const facts: Fact[] = [
    ['type', node.type, entry.type],
    ['mode', octal(node.mode), octal(entry.mode)],
    ['uid', node.uid, entry.uid],
    ['gid', node.gid, entry.gid],
    ['mtime', node.mtime.seconds, entry.mtime],
  ];
  if (fidelity.nanoseconds) facts.push(['nanoseconds', node.mtime.nanoseconds, entry.mtimeNanoseconds]);
  if (fidelity.xattrs && entry.xattrs !== undefined) facts.push(...xattrFacts(node, entry.xattrs));
  if ('major' in node && entry.rdev !== undefined)
    facts.push(['device', `${node.major},${node.minor}`, entry.rdev]);
  if (node.type === 'directory') facts.push(['link count', 2 + countSubdirectories(node), entry.links]);
  else facts.push(['link count', links.get(node) ?? 1, entry.links]);
  if (node.type === 'file' || node.type === 'symlink') facts.push(['size', sizeOf(node), entry.size]);
  if (node.type === 'symlink') {
    facts.push([
      'target',
      printable(textFromByteString(node.target)),
      printable(textFromByteString(entry.target ?? '')),
    ]);
  }
  if (node.type === 'file') {
    const digest = digests.get(node) ?? expectedDigest(node, entry.digest?.whole !== false);
    digests.set(node, digest);
    facts.push(['SHA-256', digest, entry.digest?.sha256 ?? 'not read']);
  }
  return facts;
}

function xattrFacts(node: TreeNode, found: ReadonlyMap<ByteString, string>): Fact[] {
  const wanted = new Map(
    [...(node.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
  );
  const names = new Set([...wanted.keys(), ...found.keys()]);
  return [...names].map((name) => [
    printable(textFromByteString(name)),
    wanted.get(name) ?? 'none',
    found.get(name) ?? 'none',
  ]);
}

function expectedDigest(node: FileNode, whole: boolean): string {
  if (whole || node.size < SAMPLED_BYTES) return sha256Of(node.content, node.size);
  const starts = samplesOf(node.size);
  const samples = starts.map(() => Buffer.alloc(SAMPLE_BYTES));
  for (const { offset, bytes } of piecesOf(node.content, node.size)) {
    starts.forEach((start, index) => {
      const from = Math.max(offset, start);
      const to = Math.min(offset + bytes.length, start + SAMPLE_BYTES);
      if (from < to) samples[index]?.set(bytes.subarray(from - offset, to - offset), from - start);
    });
  }
  const hash = createHash('sha256');
  for (const sample of samples) hash.update(sample);
  return hash.digest('hex');
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
