import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import type { Filesystem, FilesystemInode } from './filesystem.js';
import { componentsOf } from './name.js';
import { joinPath } from './tree.js';

/** A file that a path led to. */
export interface Found extends FilesystemInode {
  readonly inode: number;
  /** Where it really is: absolute, without symbolic links before the last name. */
  readonly path: ByteString;
}

/** How many symbolic links a path may lead through; Linux follows 40. */
const LINKS_MAX = 40;

/**
 * Finds what a path names, as a process rooted in the image would: symbolic links on the way are followed inside the
 * image, `..` ends at its root. The last name is followed only with `followLast` or a slash at the end of the path.
 * Throws a DiagnosticError when there is no such file.
 */
export function lookUp(filesystem: Filesystem, path: ByteString, followLast = false): Found {
  const failure = (message: string) =>
    imageError(
      { file: filesystem.name, path: textFromByteString(path) },
      message,
      'List its folder with "ssi-image ls".',
    );
  const root: Found = { ...filesystem.readInode(filesystem.root), inode: filesystem.root, path: '/' };
  const follow = followLast || path.endsWith('/');
  let chain: Found[] = [root];
  const pending = componentsOf(path).reverse();
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const directory = chain.at(-1)!;
    if (directory.node.type !== 'directory')
      throw failure(`${textFromByteString(directory.path)} is not a directory`);
    if (name === '..') {
      if (chain.length > 1) chain.pop();
      continue;
    }
    const entry = filesystem.readDirectory(directory.inode).find((candidate) => candidate.name === name);
    if (entry === undefined) throw failure('no such file in the image');
    const found = {
      ...filesystem.readInode(entry.inode),
      inode: entry.inode,
      path: joinPath(directory.path, name),
    };
    if (found.node.type === 'symlink' && (pending.length > 0 || follow)) {
      links += 1;
      if (links > LINKS_MAX) throw failure(`more than ${LINKS_MAX} symbolic links on the way`);
      if (found.node.target.startsWith('/')) chain = [root];
      pending.push(...componentsOf(found.node.target).reverse());
      continue;
    }
    chain.push(found);
  }
  return chain.at(-1)!;
}

/** Everything below a directory and the directory itself, in no particular order; each directory once. */
export function* walk(filesystem: Filesystem, start: Found): Generator<Found> {
  const visited = new Set<number>();
  const pending = [start];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next;
    if (next.node.type !== 'directory') continue;
    if (visited.has(next.inode)) {
      throw imageError(
        { file: filesystem.name, path: textFromByteString(next.path) },
        'a directory with more than one name, or one that contains itself',
      );
    }
    visited.add(next.inode);
    for (const { name, inode } of filesystem.readDirectory(next.inode)) {
      pending.push({ ...filesystem.readInode(inode), inode, path: joinPath(next.path, name) });
    }
  }
}
