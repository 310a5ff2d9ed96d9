import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import { digestOf } from './content.js';
import { octalMode } from './listing.js';
import { type DirectoryNode, sizeOf, type TreeNode } from './node.js';
import { entriesBelow, joinPath, type Tree } from './tree.js';

/** What one field was and is; for a digest or an attribute that is not there, `none`. */
export type Change = readonly [before: string, after: string];

export interface Difference {
  readonly path: ByteString;
  readonly kind: 'added' | 'removed' | 'changed';
  /** The fields that differ, of a file that is in both Trees. */
  readonly fields?: Readonly<Record<string, Change>>;
}

/**
 * Everything that differs between two Trees, in the order of a walk: types, attributes, contents, targets, devices,
 * hard links. What only one of the two formats keeps (nanoseconds, extended attributes) is not compared. Contents
 * are read only where sizes are equal.
 */
export async function* diffTrees(a: Tree, b: Tree, pace: Pace): AsyncGenerator<Difference> {
  const comparer = new Comparer(a, b, pace);
  const root = await comparer.changes('/', a.root, b.root);
  if (root !== undefined) yield root;
  const stack = [pairOf(a.root, b.root, '/')];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const name = top.names[top.next++];
    if (name === undefined) {
      stack.pop();
      continue;
    }
    if (pace.due()) await pace.breathe();
    const path = joinPath(top.path, name);
    const [before, after] = [top.a.entries.get(name), top.b.entries.get(name)];
    if (before !== undefined && after !== undefined && before.type === after.type) {
      const difference = await comparer.changes(path, before, after);
      if (difference !== undefined) yield difference;
      if (before.type === 'directory' && after.type === 'directory') stack.push(pairOf(before, after, path));
      continue;
    }
    if (before !== undefined) yield* wholly('removed', before, path, pace);
    if (after !== undefined) yield* wholly('added', after, path, pace);
  }
}

/** Everything of what only one of the Trees has. */
async function* wholly(
  kind: 'added' | 'removed',
  node: TreeNode,
  top: ByteString,
  pace: Pace,
): AsyncGenerator<Difference> {
  for (const { path } of entriesBelow(node, top)) {
    if (pace.due()) await pace.breathe();
    yield { path, kind };
  }
}

function pairOf(a: DirectoryNode, b: DirectoryNode, path: ByteString) {
  return { a, b, path, names: [...new Set([...a.entries.keys(), ...b.entries.keys()])].sort(), next: 0 };
}

class Comparer {
  private readonly nanoseconds: boolean;
  private readonly xattrs: boolean;
  /** The first path of each file with several names, in either Tree. */
  private readonly groups: readonly [Map<TreeNode, ByteString>, Map<TreeNode, ByteString>];
  /** Contents of files with several names are compared once. */
  private readonly compared = new Map<TreeNode, Map<TreeNode, Change | undefined>>();

  constructor(
    a: Tree,
    b: Tree,
    private readonly pace: Pace,
  ) {
    this.nanoseconds = a.fidelity.nanoseconds && b.fidelity.nanoseconds;
    this.xattrs = a.fidelity.xattrs && b.fidelity.xattrs;
    this.groups = [firstPaths(a), firstPaths(b)];
  }

  async changes(path: ByteString, before: TreeNode, after: TreeNode): Promise<Difference | undefined> {
    const fields: Record<string, Change> = {};
    const compare = (name: string, from: string | number, to: string | number): void => {
      if (from !== to) fields[name] = [`${from}`, `${to}`];
    };
    compare('mode', octalMode(before.mode), octalMode(after.mode));
    compare('uid', before.uid, after.uid);
    compare('gid', before.gid, after.gid);
    compare('mtime', before.mtime.seconds, after.mtime.seconds);
    if (this.nanoseconds) compare('mtimeNanoseconds', before.mtime.nanoseconds, after.mtime.nanoseconds);
    compare('size', sizeOf(before), sizeOf(after));
    if (before.type === 'symlink' && after.type === 'symlink') {
      compare('target', textFromByteString(before.target), textFromByteString(after.target));
    }
    if ('major' in before && 'major' in after) {
      compare('rdev', `${before.major},${before.minor}`, `${after.major},${after.minor}`);
    }
    const [linkBefore, linkAfter] = [this.groups[0].get(before), this.groups[1].get(after)];
    compare('link', textFromByteString(linkBefore ?? 'none'), textFromByteString(linkAfter ?? 'none'));
    const content = await this.contentChange(before, after);
    if (content !== undefined) fields.sha256 = content;
    if (this.xattrs) this.compareXattrs(before, after, compare);
    return Object.keys(fields).length === 0 ? undefined : { path, kind: 'changed', fields };
  }

  private async contentChange(before: TreeNode, after: TreeNode): Promise<Change | undefined> {
    if (before.type !== 'file' || after.type !== 'file' || before.size !== after.size || before === after)
      return undefined;
    const known = this.compared.get(before);
    if (known?.has(after) === true) return known.get(after);
    const digests = [
      await digestOf(before.content, before.size, this.pace),
      await digestOf(after.content, after.size, this.pace),
    ] as const;
    const change = digests[0] === digests[1] ? undefined : digests;
    if (this.groups[0].has(before)) this.compared.set(before, (known ?? new Map()).set(after, change));
    return change;
  }

  private compareXattrs(
    before: TreeNode,
    after: TreeNode,
    compare: (name: string, from: string, to: string) => void,
  ): void {
    const names = new Set([...(before.xattrs?.keys() ?? []), ...(after.xattrs?.keys() ?? [])]);
    const shown = (value: Uint8Array | undefined): string =>
      value === undefined ? 'none' : Buffer.from(value).toString('hex');
    for (const name of [...names].sort()) {
      compare(
        `xattr ${textFromByteString(name)}`,
        shown(before.xattrs?.get(name)),
        shown(after.xattrs?.get(name)),
      );
    }
  }
}

function firstPaths(tree: Tree): Map<TreeNode, ByteString> {
  const counts = tree.linkCounts();
  const paths = new Map<TreeNode, ByteString>();
  for (const { path, node } of tree.entries()) {
    if ((counts.get(node) ?? 1) > 1 && !paths.has(node)) paths.set(node, path);
  }
  return paths;
}
