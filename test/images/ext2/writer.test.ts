import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { isExt2 } from '../../../images/ext2/reader.js';
import { writeExt2 } from '../../../images/ext2/writer.js';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { nastyTree } from '../../fixtures/nasty-tree.js';
import { patternContent } from '../../fixtures/pattern-source.js';
import { type ImageOptions, withExt2Tree, writeExt2Image } from '../../support/ext2-image.js';
import { directory, plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run, testWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const image = join(folder, 'image');
const MIB = 1024 ** 2;

/** Everything that goes wrong, but for files of GiB: those are in test/judges. */
function smallNastyTree(): Tree {
  const builder = TreeBuilder.from(nastyTree(1024));
  builder.remove('nasty/heights');
  builder.remove('nasty/holes/3GiB');
  const mtime = { seconds: 1, nanoseconds: 0 };
  // In blocks of 1 KiB: direct, indirect, doubly indirect from 268 KiB on, triply from 65,804 KiB on.
  const size = 80 * MIB;
  const borders = [0, 12, 268, 269, 524, 65_803, 65_804, 66_060, 81_919].map(
    (kib) => [kib * 1024, 1024] as const,
  );
  builder.put('nasty/borders', { ...plain, mtime, type: 'file', size, content: patternContent(1, borders) });
  return builder.build();
}

/** Paths at which an image differs from the Tree it was made of. */
async function pathsThatDiffer(tree: Tree): Promise<string[]> {
  return withExt2Tree(image, async (read) => (await differencesOf(tree, read)).map(({ path }) => path));
}

describeWith(['e2fsck'], 'a tree of everything that goes wrong', () => {
  const tree = smallNastyTree();
  test.each([
    [1024, 128],
    [1024, 256],
    [2048, 128],
    [4096, 256],
  ] as const)('in blocks of %i bytes and inodes of %i', async (blockSize, inodeSize) => {
    const summary = await writeExt2Image(image, tree, { blockSize, inodeSize });
    run('e2fsck', ['-fn', image]);
    expect(summary.freeBlocks).toBe(0);
    const fractions = ['fraction', 'fraction-before-1970'].map((name) => `/nasty/times/${name}`);
    const changed = summary.notKept.map(({ path }) => path);
    expect(summary.notKept.every(({ what }) => what.startsWith('modification time '))).toBe(true);
    const expected = [...changed, ...(inodeSize === 128 ? fractions : []), '/lost+found'];
    expect((await pathsThatDiffer(tree)).sort()).toEqual(expected.sort());
  });
});

describeWith(['e2fsck', 'debugfs'], 'as others see it', () => {
  const debugfs = (command: string): string => run('debugfs', ['-R', command, image]);

  test('devices in both encodings, short and long links, blocks in use', async () => {
    const device = (major: number, minor: number) => ({ ...plain, type: 'block' as const, major, minor });
    const link = (length: number) => ({ ...plain, type: 'symlink' as const, target: 't'.repeat(length) });
    const size = 300 * 1024;
    const content = patternContent(2, [[0, size]]);
    const tree = treeWith({
      old: device(98, 240),
      new: device(98, 256),
      largest: device(4095, 1_048_575),
      59: link(59),
      60: link(60),
      1023: link(1023),
      dense: { ...plain, type: 'file', size, content },
      setuid: text('x', { mode: 0o4711, uid: 70_000, gid: 5 }),
    });
    await writeExt2Image(image, tree);
    run('e2fsck', ['-fn', image]);
    expect(await pathsThatDiffer(withoutNanoseconds(tree))).toEqual(['/lost+found']);
    expect(debugfs('stat old')).toMatch(/Device major\/minor number: 98:240 \(hex 62:f0\)/);
    expect(debugfs('stat new')).toMatch(/\(New-style\) Device major\/minor number: 98:256/);
    expect(debugfs('stat largest')).toMatch(/\(New-style\) Device major\/minor number: 4095:1048575/);
    expect(debugfs('stat 59')).toMatch(/Blockcount: 0\n[\s\S]*Fast link dest: "t{59}"/);
    expect(debugfs('stat 60')).toMatch(/Blockcount: 2\n/);
    // 300 of data, one indirect, one doubly indirect and one below that.
    expect(debugfs('stat dense')).toMatch(/Blockcount: 606\n/);
    expect(debugfs('stat setuid')).toMatch(/Mode: {2}04711[\s\S]*User: 70000 {3}Group: {5}5 /);
    expect(debugfs('stat lost+found')).toMatch(/Inode: 11 {3}Type: directory {4}Mode: {2}0700 /);
  });

  test('the superblock says what was asked for, and its copies can replace it', async () => {
    const options = { size: 40 * MIB, label: 'sample root', reservedPercent: 5, inodes: 5000 };
    const uuid = '01234567-89ab-cdef-0123-456789abcdef';
    const summary = await writeExt2Image(image, treeWith({ file: text('x') }), { ...options, uuid });
    const shown = debugfs('show_super_stats -h');
    expect(shown).toMatch(/volume name: +sample root\n/);
    expect(shown).toMatch(new RegExp(`UUID: +${uuid}\n`));
    expect(shown).toMatch(/features: +filetype sparse_super\n/);
    expect(shown).toMatch(/state: +clean\n/);
    expect(shown).toMatch(/Reserved block count: +2048\n/);
    expect(shown).toMatch(/Last write time: +Sun Sep {2}9 01:46:40 2001\n/);
    expect(shown).toMatch(new RegExp(`Free blocks: +${summary.freeBlocks}\n`));
    expect(summary).toMatchObject({ blockCount: 40 * 1024, groups: 5, inodeCount: 5000, uuid });
    expect(run('e2fsck', ['-fn', '-b', '8193', '-B', '1024', image])).toContain('Pass 5');
    expect(run('e2fsck', ['-fn', '-b', '24577', '-B', '1024', image])).toContain('Pass 5');
  });

  test('files of 2 GiB and more, and the feature they need', async () => {
    const sparse = (size: number): FileNode => ({
      ...plain,
      type: 'file',
      size,
      content: patternContent(3, [[size - 5, 5]]),
    });
    expect((await writeExt2Image(image, treeWith({ a: sparse(2 ** 31 - 1) }))).features).not.toContain(
      'large_file',
    );
    run('e2fsck', ['-fn', image]);
    for (const [blockSize, largest] of [
      [1024, (12 + 256 + 256 ** 2 + 256 ** 3) * 1024],
      [4096, 2_196_873_666_560],
    ] as const) {
      const summary = await writeExt2Image(image, treeWith({ a: sparse(2 ** 31), b: sparse(largest) }), {
        blockSize,
      });
      expect(summary.features).toContain('large_file');
      run('e2fsck', ['-fn', image]);
      expect(debugfs('stat b')).toMatch(new RegExp(`Size: ${largest}\n`));
      await expect(
        writeExt2Image(image, treeWith({ b: sparse(largest + 1) }), { blockSize }),
      ).rejects.toThrow(/\/b: error: a file of \d+ bytes \(with blocks of \d+: at most \d+\)/);
    }
  });
});

function withoutNanoseconds(tree: Tree): Tree {
  return TreeBuilder.from(tree).build({ ...tree.fidelity, nanoseconds: false });
}

describe('the same input gives the same bytes', () => {
  const tree = smallNastyTree();
  const write = async (options: ImageOptions): Promise<{ bytes: Buffer; uuid: string }> => {
    const { uuid } = await writeExt2Image(image, tree, options);
    return { bytes: readFileSync(image), uuid };
  };

  test('whenever, and another label or epoch another UUID', async () => {
    const first = await write({});
    const second = await write({});
    expect(second.bytes.equals(first.bytes)).toBe(true);
    expect(first.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const others = [await write({ label: 'x' }), await write({ epoch: 1 }), await write({ blockSize: 2048 })];
    expect(new Set([first, ...others].map(({ uuid }) => uuid)).size).toBe(4);
  });

  describeWith(['e2fsck'], 'what lay on the device before', () => {
    test('harms nothing', async () => {
      const { bytes } = await write({});
      writeFileSync(image, Buffer.alloc(bytes.length, 0xa5));
      const sink = SparseFile.open(image);
      await writeExt2(sink, tree, { blockSize: 1024, epoch: 1_000_000_000, pace: new Pace() });
      sink.close();
      run('e2fsck', ['-fn', image]);
      // Every block is in use, so nothing can be left of what was there.
      expect(readFileSync(image).equals(bytes)).toBe(true);
    });
  });
});

describe('what ext2 cannot hold is refused with its path', () => {
  test.each([
    [
      'a link as long as a block',
      { link: { ...plain, type: 'symlink', target: 't'.repeat(1024) } },
      /\/link: error: a symbolic link of 1024 bytes \(with blocks of 1024: at most 1023\)/,
    ],
    [
      'an empty link',
      { link: { ...plain, type: 'symlink', target: '' } },
      /\/link: error: a symbolic link that is empty/,
    ],
    [
      'a link with a NUL byte',
      { link: { ...plain, type: 'symlink', target: 'a\0b' } },
      /\/link: error: a symbolic link that is empty or has a NUL/,
    ],
    [
      'a major number of 13 bits',
      { dev: { ...plain, type: 'block', major: 4096, minor: 0 } },
      /\/dev: error: device number 4096,0 has more/,
    ],
    [
      'a minor number of 21 bits',
      { dev: { ...plain, type: 'character', major: 0, minor: 2 ** 20 } },
      /\/dev: error: device number 0,1048576/,
    ],
    [
      'lost+found as a file',
      { 'lost+found': text('x') },
      /\/lost\+found: error: a file stands where ext2 must have a directory\n {2}Remove/,
    ],
  ] as [string, Record<string, TreeNode>, RegExp][])('%s', async (_, entries, message) => {
    await expect(writeExt2Image(image, treeWith(entries), { size: MIB })).rejects.toThrow(message);
  });

  test('more names of a file, or more subdirectories, than 65,000', async () => {
    const shared = text('x');
    const many = (count: number, node: () => TreeNode): Tree => {
      const entries = Array.from(
        { length: count },
        (_, number) => [`${number}`, node()] as [string, TreeNode],
      );
      return new Tree(directory([['many', directory(entries)]]));
    };
    const names = many(65_001, () => shared);
    await expect(writeExt2Image(image, names)).rejects.toThrow(/\/many\/0: error: a file with 65001 names/);
    const folders = many(64_999, () => directory([]));
    await expect(writeExt2Image(image, folders)).rejects.toThrow(
      /\/many: error: 64999 subdirectories in one/,
    );
  });

  testWith(['e2fsck'], 'but not 65,000 names of a file', async () => {
    const shared = text('x');
    const entries = Array.from(
      { length: 65_000 },
      (_, number) => [`${number}`, shared] as [string, TreeNode],
    );
    await writeExt2Image(image, new Tree(directory(entries)));
    run('e2fsck', ['-fn', image]);
  });
});

test('a lost+found that the Tree has stays as it is', async () => {
  const lost = { ...plain, mode: 0o755, type: 'directory' as const, entries: new Map() };
  const tree = treeWith({ 'lost+found': lost, 'lost+found/a/b': text('found'), 'lost+found/c': text('c') });
  await writeExt2Image(image, tree, { inodeSize: 256 });
  expect(await pathsThatDiffer(tree)).toEqual([]);
});

test('an abort leaves no filesystem', async () => {
  await writeExt2Image(image, treeWith({ file: text('before') }), { size: 40 * MIB });
  const controller = new AbortController();
  const sink = SparseFile.open(image);
  const size = 30 * MIB;
  const tree = treeWith({ file: { ...plain, type: 'file', size, content: patternContent(5, [[0, size]]) } });
  const writing = writeExt2(sink, tree, {
    ...{ blockSize: 1024, epoch: 0, pace: new Pace(controller.signal) },
    onProgress: () => controller.abort(),
  });
  await expect(writing).rejects.toThrow(/interrupted/);
  sink.close();
  const source = new FileSource(image);
  expect(isExt2(source)).toBe(false);
  source.close();
});

test.each([
  [{ blockSize: 512 }, /block size of 512/],
  [{ inodeSize: 100 }, /inodes of 100 bytes/],
  [{ inodes: -1 }, /number of inodes of -1/],
  [{ epoch: -1 }, /a time of -1/],
  [{ label: 'seventeen letters' }, /label "seventeen letters"/],
  [{ uuid: '1234' }, /UUID "1234"/],
  [{ reservedPercent: 51 }, /51 percent/],
] as [ImageOptions, RegExp][])('options %j are refused', async (options, message) => {
  await expect(writeExt2Image(image, treeWith({}), { size: MIB, ...options })).rejects.toThrow(message);
});
