import { cpSync, mkdirSync, mkdtempSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { FileSource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { treeOfTar } from '../../../images/tar/reader.js';
import type { Attributes, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { writeTar } from '../../support/tar-archive.js';
import { run } from '../../support/tools.js';
import { EPOCH, SOURCE } from './installing.js';
import { smallBase } from './small-base.js';

/** Nothing that a test brings is as new as this, and everything that a rule makes is newer. */
const RECENT = 1_700_000_000;

/** The same Tree, with the epoch for the times of the run: as whoever installs by hand can't have it. */
function withEpoch(tree: Tree): Tree {
  const timed = <N extends Attributes>(node: N): N =>
    node.mtime.seconds < RECENT ? node : { ...node, mtime: { seconds: EPOCH, nanoseconds: 0 } };
  const builder = new TreeBuilder(timed(tree.root), tree.fidelity);
  const made = new Map<TreeNode, TreeNode>();
  for (const { path, node } of tree.entries()) {
    const copy = made.get(node) ?? timed(node);
    made.set(node, copy);
    if (copy.type === 'directory') builder.directory(path, copy);
    else builder.put(path, copy);
  }
  return builder.build();
}

/** What the HOWTO does, with a root that is all there: tar and make in one fakeroot session. */
export async function installedByHand(
  scratch: string,
  rule: string,
  { base: before = smallBase(), source: from = SOURCE }: { base?: Tree; source?: string } = {},
): Promise<Tree> {
  const folder = mkdtempSync(join(scratch, 'by-hand-'));
  const [base, source, root, result] = ['base.tar', 'source', 'root', 'result.tar'].map((name) =>
    join(folder, name),
  );
  if (base === undefined || source === undefined || root === undefined || result === undefined)
    throw new Error();
  writeTar(base, before);
  cpSync(from, source, { recursive: true });
  for (const name of readdirSync(source)) utimesSync(join(source, name), EPOCH, EPOCH);
  mkdirSync(root);
  const script =
    'umask 022 && tar -C "$2" -xpf "$1" && make -C "$3" "$4" UML_ROOT="$2" && tar -C "$2" --format=posix -cf "$5" .';
  run('fakeroot', ['sh', '-c', script, 'sh', base, root, source, rule, result]);
  return withEpoch(await treeOfTar(new FileSource(result), new Pace()));
}
