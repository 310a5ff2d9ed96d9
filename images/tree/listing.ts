import { createHash } from 'node:crypto';
import { type ByteString, byteStringFromText, bytesOf, textFromByteString } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import { digestOf } from './content.js';
import type { FilesystemDirectory } from './filesystem.js';
import { type NodeType, type SymlinkNode, sizeOf, type TreeNode } from './node.js';
import { countSubdirectories, type Tree } from './tree.js';

/** A file as a listing has it: directories without their entries will do. */
export type ListedNode = Exclude<TreeNode, { type: 'directory' }> | FilesystemDirectory;

/** One line of `ls --json`: the contract of the commands. */
export interface ListingObject {
  readonly path: string;
  readonly type: NodeType;
  /** Permission bits in octal, four digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  readonly mtimeNanoseconds?: number;
  readonly nlink: number;
  readonly target?: string;
  /** `major,minor`. */
  readonly rdev?: string;
  readonly sha256?: string;
  /** Base 64 by name. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export function octalMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** A file for JSON. Bytes of names that are not UTF-8 come out as `\udcNN` (see byte-string.ts). */
export function listingObject(
  path: ByteString,
  node: ListedNode,
  links: number,
  sha256?: string,
): ListingObject {
  const { mtime, xattrs } = node;
  return {
    path: textFromByteString(path),
    type: node.type,
    mode: octalMode(node.mode),
    uid: node.uid,
    gid: node.gid,
    size: node.type === 'directory' ? 0 : sizeOf(node),
    mtime: mtime.seconds,
    ...(mtime.nanoseconds === 0 ? {} : { mtimeNanoseconds: mtime.nanoseconds }),
    nlink: links,
    ...(node.type === 'symlink' ? { target: textFromByteString(node.target) } : {}),
    ...(node.type === 'block' || node.type === 'character' ? { rdev: `${node.major},${node.minor}` } : {}),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(xattrs === undefined || xattrs.size === 0 ? {} : { xattrs: xattrObject(xattrs) }),
  };
}

function xattrObject(xattrs: ReadonlyMap<ByteString, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    [...xattrs]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [textFromByteString(name), Buffer.from(value).toString('base64')]),
  );
}

const named: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/**
 * A name for a terminal: control characters and bytes that are not UTF-8 in C style, each byte as `ls -b` has it, so
 * that what is shown stands for one name only. Blanks stay blanks.
 */
export function escapedName(name: ByteString): string {
  return textFromByteString(name).replace(
    /[\\\p{Cc}\p{Cs}\u2028\u2029]/gu,
    (character) => named[character] ?? octalBytes(byteStringFromText(character)),
  );
}

function octalBytes(bytes: ByteString): string {
  let result = '';
  for (const byte of bytesOf(bytes)) result += `\\${byte.toString(8).padStart(3, '0')}`;
  return result;
}

const typeLetters: Readonly<Record<NodeType, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  block: 'b',
  character: 'c',
  fifo: 'p',
  socket: 's',
};

/** Type and permissions in ten letters. */
function modeLetters(node: ListedNode): string {
  const { mode } = node;
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift;
    const execute = (bits & 1) !== 0;
    const last = (mode & special) === 0 ? (execute ? 'x' : '-') : execute ? letter : letter.toUpperCase();
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${last}`;
  };
  return typeLetters[node.type] + triple(6, 0o4000, 's') + triple(3, 0o2000, 's') + triple(0, 0o1000, 't');
}

/** A file in a line as `ls -l --numeric-uid-gid` has it, with the time in UTC. */
export function listingLine(name: ByteString, node: ListedNode, links: number): string {
  const size =
    node.type === 'block' || node.type === 'character'
      ? `${node.major},${node.minor}`
      : node.type === 'directory'
        ? '0'
        : `${sizeOf(node)}`;
  const date = new Date(node.mtime.seconds * 1000);
  const time = Number.isNaN(date.getTime())
    ? `@${node.mtime.seconds}`
    : date.toISOString().slice(0, 19).replace('T', ' ');
  const target = node.type === 'symlink' ? ` -> ${escapedName((node as SymlinkNode).target)}` : '';
  const columns = [
    modeLetters(node),
    `${links}`.padStart(3),
    `${node.uid}`.padStart(5),
    `${node.gid}`.padStart(5),
    size.padStart(11),
    time,
  ];
  return `${columns.join(' ')} ${escapedName(name)}${target}`;
}

/**
 * Every name of a Tree in a line of JSON, with digests and link groups: two Trees that stand for the same files give
 * the same lines, wherever their contents lie. Reads all contents.
 */
export async function* canonicalListing(tree: Tree, pace: Pace): AsyncGenerator<string> {
  const counts = tree.linkCounts();
  const firstPaths = new Map<TreeNode, ByteString>();
  for (const { path, node } of tree.entries()) {
    if (pace.due()) await pace.breathe();
    if (node.type === 'directory') {
      yield JSON.stringify(listingObject(path, node, 2 + countSubdirectories(node)));
      continue;
    }
    const links = counts.get(node) ?? 1;
    const first = firstPaths.get(node);
    if (first !== undefined) {
      yield JSON.stringify({ path: textFromByteString(path), link: textFromByteString(first) });
      continue;
    }
    if (links > 1) firstPaths.set(node, path);
    const sha256 = node.type === 'file' ? await digestOf(node.content, node.size, pace) : undefined;
    yield JSON.stringify(listingObject(path, node, links, sha256));
  }
}

/** SHA-256 over the canonical listing, in hexadecimal. */
export async function treeDigest(tree: Tree, pace: Pace): Promise<string> {
  const hash = createHash('sha256');
  for await (const line of canonicalListing(tree, pace)) hash.update(line).update('\n');
  return hash.digest('hex');
}
