import type { CheckContext } from './context.js';
import type { CheckedInode } from './dinodes.js';
import { checkDirectory, childPath, type FoundName } from './directories.js';

/** Claims and checks the dinode at `address`, which `holder` refers to; undefined when it is none. */
export type DinodeCheck = (
  address: number,
  holder: number,
  path: string,
) => Promise<CheckedInode | undefined>;

/** A directory that is claimed but not yet read. Its block is read again: hostile images have very many of them. */
interface PendingDirectory {
  readonly address: number;
  readonly treeBlocks: number;
  readonly parent: number;
  readonly path: string;
}

/**
 * Follows every name below a directory that has been claimed, without recursion.
 */
export async function checkTree(
  context: CheckContext,
  top: CheckedInode,
  path: string,
  check: DinodeCheck,
): Promise<void> {
  const { faults, pace, image } = context;
  const { address } = top.inode;
  const pending: PendingDirectory[] = [{ address, treeBlocks: top.treeBlocks, parent: address, path }];
  for (let next = pending.pop(); next !== undefined && !faults.truncated; next = pending.pop()) {
    context.directories += 1;
    const facts = context.inodes.get(next.address)!;
    facts.found += 2;
    const inode = image.readDinode(next.address, next.path);
    const names = checkDirectory(context, { inode, treeBlocks: next.treeBlocks }, next.parent, next.path);
    for (const name of names) {
      if (pace.due()) await pace.breathe();
      if (faults.truncated) return;
      const child = await checkName(context, name, next, check);
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
  check: DinodeCheck,
): Promise<PendingDirectory | undefined> {
  const { faults } = context;
  const { fileTypes } = context.image.dialect;
  const path = childPath(directory.path, dirent.name);
  const { address } = dirent.inode;
  const known = context.inodes.get(address);
  let checked: CheckedInode | undefined;
  if (known === undefined) {
    checked = await check(address, block, path);
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
  if (!context.acceptsDirentType(dirent.type, facts.type))
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
  if (facts.type !== fileTypes.directory) {
    facts.found += 1;
    if (checked !== undefined && facts.type === fileTypes.file) context.files += 1;
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

/** Compares the link counts of all dinodes with the names that were found. */
export function checkLinks({ inodes, faults }: CheckContext): void {
  if (faults.truncated) return;
  for (const [address, { links, found, path }] of inodes) {
    if (links !== found)
      faults.add('link-count', address, `the dinode counts ${links} links, there are ${found}`, path);
  }
}
