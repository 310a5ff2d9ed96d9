import { mkdirSync, readFileSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { Tree } from '../../images/tree/tree.js';
import { openTree } from '../../pipelines/open-image.js';
import { nastyTree } from '../fixtures/nasty-tree.js';
import { DEBIAN_ROOT_TOOLS, debianRoot } from '../support/debian-root.js';
import { type ImageOptions, withExt2Tree, writeExt2Image } from '../support/ext2-image.js';
import { loopMountFault, withLoopMount } from '../support/loop-mount.js';
import { text, treeWith } from '../support/small-trees.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, describeWith, run } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';

const folder = temporaryFolder();
const image = join(folder, 'image');
const mountPoint = join(folder, 'mnt');
/** Paths at which the Tree differs from what our reader, and what the kernel, finds in an image of it. */
async function pathsThatDiffer(tree: Tree, options: ImageOptions): Promise<string[]> {
  const { notKept } = await writeExt2Image(image, tree, options);
  run('e2fsck', ['-fn', image]);
  const paths = new Set<string>();
  const kept = new Set(notKept.map(({ path }) => path));
  await withExt2Tree(image, async (read) => {
    for (const { path } of await differencesOf(tree, read)) paths.add(path);
    await withLoopMount(image, mountPoint, async () => {
      const kernel = await treeOfDirectory(mountPoint, new Pace());
      expect((await differencesOf(kernel, read)).slice(0, 10)).toEqual([]);
    });
  });
  rmSync(image);
  return [...paths].filter((path) => !kept.has(path));
}

describeUnless(loopMountFault(), 'ext2 that we wrote, as the kernel reads it', () => {
  describeWith(['e2fsck'], 'a tree of everything that goes wrong', () => {
    test.each([
      [1024, 128],
      [4096, 256],
    ] as const)('in blocks of %i bytes and inodes of %i', async (blockSize, inodeSize) => {
      const fractions = ['fraction', 'fraction-before-1970'].map((name) => `/nasty/times/${name}`);
      const expected = ['/lost+found', ...(inodeSize === 128 ? fractions : [])];
      expect(await pathsThatDiffer(nastyTree(1024), { blockSize, inodeSize })).toEqual(expected);
    });
  });

  describeWith(['e2fsck', ...DEBIAN_ROOT_TOOLS], 'a Debian root', () => {
    test.each([1024, 4096] as const)('in blocks of %i bytes', async (blockSize) => {
      const { tree, close } = await openTree(debianRoot().tar, { pace: new Pace() });
      expect([...tree.entries()].length).toBeGreaterThan(12_000);
      expect(await pathsThatDiffer(tree, { blockSize, inodeSize: 256 })).toEqual(['/lost+found']);
      close();
    });
  });

  describeWith(['e2fsck', 'getfattr', 'getfacl'], 'extended attributes', () => {
    test('and access control lists', async () => {
      const acl = `02000000${'01000600ffffffff'}0200070007000000${'04000400ffffffff'}10000700ffffffff20000400ffffffff`;
      const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
      const node = text('x', {
        mode: 0o674,
        xattrs: new Map([
          ['user.note', Buffer.from('a note')],
          ['security.capability', capability],
          ['system.posix_acl_access', Buffer.from(acl, 'hex')],
        ]),
      });
      await writeExt2Image(image, treeWith({ node }));
      await withLoopMount(image, mountPoint, async () => {
        const shown = run('getfattr', [
          '-d',
          '-m',
          '-',
          '-e',
          'hex',
          '--absolute-names',
          join(mountPoint, 'node'),
        ]);
        expect(shown).toContain(`security.capability=0x${capability.toString('hex')}\n`);
        expect(shown).toContain(`user.note=0x${Buffer.from('a note').toString('hex')}\n`);
        const list = run('getfacl', ['-n', '--absolute-names', '--omit-header', join(mountPoint, 'node')]);
        expect(list.trim().split('\n')).toEqual([
          'user::rw-',
          'user:7:rwx',
          'group::r--',
          'mask::rwx',
          'other::r--',
        ]);
      });
    });
  });

  describeWith(['e2fsck', 'mount'], 'and writes to it', () => {
    test('until it is full, and it is still sound', async () => {
      await writeExt2Image(image, nastyTree(1024), { size: 60 * 1024 ** 2 });
      mkdirSync(mountPoint);
      run('mount', ['-o', 'loop', image, mountPoint]);
      try {
        for (let number = 0; number < 50; number++)
          writeFileSync(join(mountPoint, `new-${number}`), `${number}`);
        unlinkSync(join(mountPoint, 'nasty', 'hard-links', '17'));
        rmSync(join(mountPoint, 'nasty', 'names'), { recursive: true });
        expect(() => writeFileSync(join(mountPoint, 'large'), Buffer.alloc(60 * 1024 ** 2, 1))).toThrow(
          /ENOSPC/,
        );
        expect(readFileSync(join(mountPoint, 'elsewhere'), 'utf8')).toMatch(/^one file/);
      } finally {
        run('umount', [mountPoint]);
        rmdirSync(mountPoint);
      }
      run('e2fsck', ['-fn', image]);
    });
  });
});
