import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { ext2Requirements } from '../../../images/ext2/writer.js';
import type { FileNode } from '../../../images/tree/node.js';
import { patternContent } from '../../fixtures/pattern-source.js';
import { writeExt2Image } from '../../support/ext2-image.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';

const folder = temporaryFolder();
const image = join(folder, 'image');
const MIB = 1024 ** 2;

describe('the room there is', () => {
  const tree = treeWith({
    file: { ...plain, type: 'file', size: 3 * MIB, content: patternContent(4, [[0, 3 * MIB]]) },
    'folder/small': text('small'),
  });
  const refusal =
    /the content needs (\d+) blocks of 1024 bytes and 46 inodes, which is an ext2 of (\d+) bytes \(3\.0 MiB\), but the image has \d+ \(\d\.\d MiB\)\n {2}Make the image at least 4 MiB large/;

  describeWith(['e2fsck'], 'is used to the last block', () => {
    test.each([1024, 2048, 4096] as const)('in blocks of %i bytes', async (blockSize) => {
      const { bytes } = await ext2Requirements(tree, { blockSize, pace: new Pace() });
      expect((await writeExt2Image(image, tree, { blockSize, size: bytes })).freeBlocks).toBe(0);
      run('e2fsck', ['-fn', image]);
      await expect(writeExt2Image(image, tree, { blockSize, size: bytes - 1 })).rejects.toThrow(
        new RegExp(`which is an ext2 of ${bytes} bytes`),
      );
    });

    test('at the borders of groups', async () => {
      const small = treeWith({ file: text('x') });
      // Front of a group: one bitmap each, one block of inodes, and in some a superblock and its descriptors.
      const extra = [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8];
      let free = 0;
      for (const groups of [1, 2, 3, 4, 10]) {
        for (const blocks of extra.map((more) => 1 + groups * 8192 + more)) {
          const summary = await writeExt2Image(image, small, { size: blocks * 1024 });
          expect(summary.freeBlocks, `${blocks} blocks`).toBeGreaterThanOrEqual(free);
          free = summary.freeBlocks;
          run('e2fsck', ['-fn', image]);
        }
      }
    });

    test('many inodes make many groups', async () => {
      const names = Object.fromEntries(Array.from({ length: 9000 }, (_, number) => [`n${number}`, text('')]));
      const summary = await writeExt2Image(image, treeWith(names));
      // One bitmap of 1024 bytes is for 8192 inodes.
      expect(summary.groups).toBe(2);
      const size = (summary.blockCount - 1) * 1024;
      await expect(writeExt2Image(image, treeWith(names), { size })).rejects.toThrow(
        /and 101\d\d inodes, which/,
      );
      await writeExt2Image(image, treeWith(names));
      run('e2fsck', ['-fn', image]);
    });
  });

  test('is not enough: nothing is written, and the message says how much is', async () => {
    await expect(writeExt2Image(image, tree, { size: MIB })).rejects.toThrow(refusal);
    expect(readFileSync(image).every((byte) => byte === 0)).toBe(true);
    const needed = Number(
      refusal.exec(`${await writeExt2Image(image, tree, { size: MIB }).catch(String)}`)?.[2],
    );
    await expect(writeExt2Image(image, tree, { size: needed - 1 })).rejects.toThrow(refusal);
    await writeExt2Image(image, tree, { size: needed });
    for (const size of [0, 1, 1024, 5000])
      await expect(writeExt2Image(image, tree, { size })).rejects.toThrow(refusal);
  });

  test('inodes: fewer than the Tree has are refused', async () => {
    await expect(writeExt2Image(image, tree, { inodes: 13 })).rejects.toThrow(
      /the content needs 14 inodes, but the filesystem was to have 13\n {2}Give it at least 14/,
    );
    expect(await writeExt2Image(image, tree, { inodes: 14 })).toMatchObject({
      inodeCount: 16,
      freeInodes: 2,
    });
  });

  test('zeros that somebody stored need no room and give the same bytes as holes', async () => {
    const file = (content: FileNode['content']): FileNode => ({
      ...plain,
      type: 'file',
      size: 5 * MIB,
      content,
    });
    const end = 5 * MIB - 100;
    const stored = Buffer.alloc(5 * MIB);
    const bytes = Buffer.alloc(100, 'x');
    bytes.copy(stored, end);
    const source = join(folder, 'stored');
    writeFileSync(source, stored);
    const images = [
      file({ kind: 'inline', bytes: stored }),
      file({ kind: 'host-file', path: Buffer.from(source) }),
    ].map(async (node, index) => {
      const path = join(folder, `zeros.${index}`);
      await writeExt2Image(path, treeWith({ node }), { size: 100 * 1024 });
      return readFileSync(path);
    });
    const [first, second] = await Promise.all(images);
    expect(first?.length).toBe(100 * 1024);
    expect(second && first?.equals(second)).toBe(true);
  });
});
