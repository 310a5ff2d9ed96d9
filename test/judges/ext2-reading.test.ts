import {
  chmodSync,
  linkSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { diffTrees } from '../../images/tree/diff.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import { openTree } from '../../pipelines/open-image.js';
import { DEBIAN_ROOT_TOOLS, debianRoot } from '../support/debian-root.js';
import { loopMountFault, withLoopMount } from '../support/loop-mount.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, describeWith, run } from '../support/tools.js';

const folder = temporaryFolder();
const pace = new Pace();

/** Compares what we read with what the kernel reads, name by name and byte by byte. */
async function expectSameAsKernel(image: string): Promise<number> {
  const { tree, close } = await openTree(image, { pace });
  let count = 0;
  await withLoopMount(image, join(folder, 'mnt'), async () => {
    const kernel = await treeOfDirectory(join(folder, 'mnt'), pace);
    const differences = [];
    for await (const difference of diffTrees(kernel, tree, pace)) differences.push(difference);
    expect(differences.slice(0, 10)).toEqual([]);
    count = [...tree.entries()].length;
  });
  close();
  return count;
}

/** Files at the borders of direct, indirect and doubly indirect blocks, holes, links, and a directory to be indexed. */
function makeTree(path: string): void {
  mkdirSync(join(path, 'many'), { recursive: true });
  const pattern = (size: number): Buffer =>
    Buffer.from(Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
  for (const size of [
    0,
    1,
    59,
    60,
    61,
    1023,
    12 * 1024,
    12 * 1024 + 1,
    268 * 1024,
    268 * 1024 + 1,
    3_000_000,
  ]) {
    writeFileSync(join(path, `size-${size}`), pattern(size));
  }
  writeFileSync(join(path, 'sparse'), pattern(5000));
  truncateSync(join(path, 'sparse'), 80_000_000);
  writeFileSync(join(path, 'sparse-end'), '');
  truncateSync(join(path, 'sparse-end'), 70_000_001);
  for (let index = 0; index < 3000; index++)
    writeFileSync(join(path, 'many', `name-${index}-${'x'.repeat(index % 200)}`), `${index}`);
  linkSync(join(path, 'size-61'), join(path, 'hard link'));
  for (const length of [1, 59, 60, 61, 1000]) symlinkSync('t'.repeat(length), join(path, `link-${length}`));
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x0a, 0x80, 0x5c])]), 'bytes');
  chmodSync(join(path, 'size-1'), 0o6751);
  utimesSync(join(path, 'size-1'), -86400, -86400);
  utimesSync(join(path, 'size-59'), 2 ** 31 - 1, 2 ** 31 - 1);
}

describeUnless(loopMountFault(), 'ext2/3/4 as the kernel reads it', () => {
  describeWith(['mke2fs', 'e2fsck'], 'generated trees', () => {
    const source = join(folder, 'tree');
    makeTree(source);
    test.each([
      ['ext2 with blocks of 1024 bytes and inodes of 128', ['-t', 'ext2', '-b', '1024', '-I', '128']],
      ['ext2 with blocks of 4096 bytes', ['-t', 'ext2', '-b', '4096']],
      ['ext3', ['-t', 'ext3']],
      ['ext4', ['-t', 'ext4']],
      ['ext4 with inline data', ['-t', 'ext4', '-O', 'inline_data']],
      ['ext4 without the filetype feature', ['-t', 'ext4', '-O', '^filetype']],
    ] as const)('%s', async (name, options) => {
      const image = join(folder, 'image');
      run('mke2fs', ['-q', '-F', ...options, '-d', source, image, '64M']);
      if (!name.includes('inline')) expect(await expectSameAsKernel(image)).toBeGreaterThan(3000);
      // Again with directory indexes: e2fsck -D makes them, and exits with 1 as it changed something.
      run('sh', ['-c', `PATH=$PATH:/sbin:/usr/sbin; e2fsck -fyD ${image} >/dev/null 2>&1; test $? -le 1`]);
      expect(await expectSameAsKernel(image)).toBeGreaterThan(3000);
      rmSync(image);
    });
  });

  describeWith(DEBIAN_ROOT_TOOLS, 'a Debian root', () => {
    test('every name, attribute and content', async () => {
      expect(await expectSameAsKernel(debianRoot().ext2)).toBeGreaterThan(12_000);
    });
  });
});
