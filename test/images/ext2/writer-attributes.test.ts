import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { withExt2Tree, writeExt2Image } from '../../support/ext2-image.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const image = join(folder, 'image');

/** Paths at which an image differs from the Tree it was made of. */
async function pathsThatDiffer(tree: Tree): Promise<string[]> {
  return withExt2Tree(image, async (read) => (await differencesOf(tree, read)).map(({ path }) => path));
}

function withoutNanoseconds(tree: Tree): Tree {
  return TreeBuilder.from(tree).build({ ...tree.fidelity, nanoseconds: false });
}

describeWith(['e2fsck', 'debugfs'], 'extended attributes', () => {
  const bytes = (value: string): Uint8Array => Buffer.from(value);
  const withAttributes = (xattrs: Record<string, Uint8Array>): FileNode =>
    text('x', { xattrs: new Map(Object.entries(xattrs)) });
  /** Owner, user 7, group, mask, others, in the form of getxattr. */
  const acl = Buffer.from(
    '02000000 01000600ffffffff 0200070007000000 04000400ffffffff 10000700ffffffff 20000400ffffffff'.replaceAll(
      ' ',
      '',
    ),
    'hex',
  );

  test('of every kind come back, and e2fsck agrees with their hashes', async () => {
    const tree = treeWith({
      all: withAttributes({
        'user.long': bytes('v'.repeat(500)),
        'user.a': bytes('1'),
        'user.empty': bytes(''),
        'user.\xff': bytes('2'),
        'trusted.t': bytes('12345'),
        'security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex'),
        'system.posix_acl_access': acl,
      }),
      other: withAttributes({ 'user.a': bytes('2') }),
      folder: {
        ...plain,
        mode: 0o755,
        type: 'directory',
        entries: new Map(),
        xattrs: new Map([['user.d', bytes('3')]]),
      },
      link: {
        ...plain,
        type: 'symlink',
        target: 'x'.repeat(70),
        xattrs: new Map([['trusted.l', bytes('4')]]),
      },
    });
    const summary = await writeExt2Image(image, withoutNanoseconds(tree));
    expect(summary.features).toContain('ext_attr');
    run('e2fsck', ['-fn', image]);
    expect(await pathsThatDiffer(withoutNanoseconds(tree))).toEqual(['/lost+found']);
    expect(run('debugfs', ['-R', 'ea_get all user.long', image])).toContain('v'.repeat(500));
    expect(run('debugfs', ['-R', 'ea_list all', image])).toMatch(/system\.posix_acl_access \(\d+\)/);
  });

  test('equal ones are stored once, for at most 1024 inodes', async () => {
    const entries: Record<string, TreeNode> = {};
    for (let number = 0; number < 2500; number++)
      entries[`f${number}`] = withAttributes({ 'user.a': bytes('same') });
    await writeExt2Image(image, treeWith(entries));
    run('e2fsck', ['-fn', image]);
    const blocks = new Map<string, number>();
    const commands = join(folder, 'commands');
    writeFileSync(
      commands,
      Object.keys(entries)
        .map((name) => `stat ${name}\n`)
        .join(''),
    );
    for (const [, block = ''] of run('debugfs', ['-f', commands, image]).matchAll(/File ACL: (\d+)/g))
      blocks.set(block, (blocks.get(block) ?? 0) + 1);
    expect([...blocks.values()]).toEqual([1024, 1024, 452]);
  });

  test('what ext2 has no form for is left out and reported', async () => {
    const strange = withAttributes({
      'com.example': bytes('1'),
      'system.data': bytes('2'),
      'user.': bytes('3'),
      'system.posix_acl_default': bytes('no list'),
      [`user.${'n'.repeat(256)}`]: bytes('4'),
      'user.kept': bytes('5'),
    });
    const summary = await writeExt2Image(image, treeWith({ strange }));
    run('e2fsck', ['-fn', image]);
    expect(summary.notKept.map(({ path, what }) => `${path} ${what.slice(0, 50)}`)).toEqual([
      '/strange extended attribute com.example',
      '/strange extended attribute system.data',
      '/strange extended attribute user.',
      '/strange extended attribute system.posix_acl_default',
      `/strange extended attribute user.${'n'.repeat(26)}`,
    ]);
    await withExt2Tree(image, (tree) =>
      expect([...(tree.get('/strange')?.xattrs?.keys() ?? [])]).toEqual(['user.kept']),
    );
  });

  test('that need more than a block are refused with their path', async () => {
    const tree = treeWith({ 'dir/big': withAttributes({ 'user.a': Buffer.alloc(1000) }) });
    await expect(writeExt2Image(image, tree)).rejects.toThrow(
      /dir\/big: error: extended attributes that need 1056 bytes don't fit in a block of 1024\n {2}Larger blocks hold more/,
    );
    await writeExt2Image(image, tree, { blockSize: 2048 });
    run('e2fsck', ['-fn', image]);
  });
});
