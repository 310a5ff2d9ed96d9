import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkGfs2 } from '../../../../images/gfs/gfs2/check/check.js';
import { Gfs2Filesystem } from '../../../../images/gfs/gfs2/reader.js';
import { summariseGfs2 } from '../../../../images/gfs/gfs2/summary.js';
import { populate } from '../../../../images/gfs/writer.js';
import { diffTrees } from '../../../../images/tree/diff.js';
import { treeOfFilesystem } from '../../../../images/tree/from-filesystem.js';
import type { Tree } from '../../../../images/tree/tree.js';
import { TreeBuilder } from '../../../../images/tree/tree-builder.js';
import { addAttributes } from '../../../fixtures/attribute-tree.js';
import { patternContent } from '../../../fixtures/pattern-source.js';
import { MKFS_GFS2_TOOLS } from '../../../support/gfs2-image.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith, run } from '../../../support/tools.js';
import { MemoryImage } from '../check/memory-image.js';
import { richTree } from '../check/rich-tree.js';
import { Gfs2Damage } from './damage.js';
import { makeGfs2Image } from './memory-image.js';

const folder = temporaryFolder();
const pace = new Pace();
const plain = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 999_999_999 } };

function withAttributes(blockSize: number): Tree {
  const builder = TreeBuilder.from(richTree(blockSize));
  addAttributes(builder, blockSize);
  return builder.build();
}

async function differences(a: Tree, b: Tree): Promise<unknown[]> {
  const found = [];
  for await (const difference of diffTrees(a, b, pace)) found.push(difference);
  return found;
}

async function treeOf(image: MemoryImage): Promise<Tree> {
  return treeOfFilesystem(new Gfs2Filesystem(image.source), pace);
}

function copyOf({ bytes }: MemoryImage): MemoryImage {
  return new MemoryImage(Buffer.from(bytes));
}

describeWith(MKFS_GFS2_TOOLS, 'filling GFS2', () => {
  let empty: MemoryImage;

  beforeAll(async () => {
    empty = await makeGfs2Image(folder, { mebibytes: 32 });
  });

  test.each([512, 1024, 2048, 4096])('blocks of %i bytes: what was put in comes out', async (blockSize) => {
    const image = await makeGfs2Image(folder, { mebibytes: 128, blockSize });
    const tree = withAttributes(blockSize);
    const { notKept, inodes, blocks } = await populate(image, tree, { pace });
    expect(notKept).toEqual([]);
    expect(inodes).toBe(tree.nodes().size + 1);
    expect(await differences(tree, await treeOf(image))).toEqual([]);
    const { faults } = await checkGfs2(image.source, { pace, quotaValues: true });
    expect(faults).toEqual([]);
    const summary = await summariseGfs2(image.source, pace);
    expect(summary.allocatableBlocks - summary.freeBlocks).toBe(blocks);
    expect(summary.usedDinodes).toBe(inodes - 1 + summary.ownDinodes);
    expect(summary).toMatchObject({ blockSize, lockProtocol: 'lock_nolock', lockTable: 'ssi:test' });
    expect(summary.journals).toEqual([8 * 1024 ** 2]);
  });

  test('twice the same gives the same bytes', async () => {
    const images = [copyOf(empty), copyOf(empty)];
    const builder = new TreeBuilder();
    addAttributes(builder, 1024);
    for (const image of images) await populate(image, builder.build(), { pace });
    expect(images[0]?.bytes.equals(images[1]?.bytes ?? Buffer.alloc(0))).toBe(true);
  });

  test('an empty root keeps the attributes of the Tree', async () => {
    const image = copyOf(empty);
    const xattrs = new Map([['user.root', Buffer.from('yes')]]);
    const builder = new TreeBuilder({ ...plain, mode: 0o1711, uid: 5, gid: 6, xattrs });
    await populate(image, builder.build(), { pace });
    expect((await treeOf(image)).root).toMatchObject({
      mode: 0o1711,
      uid: 5,
      gid: 6,
      mtime: plain.mtime,
      xattrs,
    });
    expect((await checkGfs2(image.source, { pace, quotaValues: true })).faults).toEqual([]);
  });

  test('attributes that GFS2 has no place for are left out and named', async () => {
    const image = copyOf(empty);
    const builder = new TreeBuilder();
    const xattrs = new Map([
      ['user.kept', Buffer.from('1')],
      ['user.', Buffer.from('no name')],
      ['user.too-long', Buffer.alloc(65537)],
      ['system.nfs4_acl', Buffer.alloc(10)],
      ['system.posix_acl_access', Buffer.from('no list')],
      ['unknown.x', Buffer.alloc(1)],
    ]);
    builder.put('/file', { ...plain, type: 'fifo', xattrs });
    const { notKept } = await populate(image, builder.build(), { pace });
    expect(notKept.map(({ path, what }) => `${path}: ${what}`).sort()).toEqual([
      '/file: extended attribute system.nfs4_acl',
      '/file: extended attribute system.posix_acl_access',
      '/file: extended attribute unknown.x',
      '/file: extended attribute user.',
      '/file: extended attribute user.too-long',
    ]);
    expect([...((await treeOf(image)).get('/file')?.xattrs?.keys() ?? [])]).toEqual(['user.kept']);
  });

  test('format 1801 knows no trusted attributes', async () => {
    const image = copyOf(empty);
    image.bytes.writeUInt32BE(1801, 65536 + 24);
    const builder = new TreeBuilder();
    const xattrs = new Map([['trusted.x', Buffer.from('1')]]);
    builder.put('/file', { ...plain, type: 'fifo', xattrs });
    const { notKept } = await populate(image, builder.build(), { pace });
    expect(notKept).toEqual([{ path: '/file', what: 'extended attribute trusted.x' }]);
  });

  test('a Tree with attributes that need more blocks than there are pointers is refused', async () => {
    const image = copyOf(empty);
    const builder = new TreeBuilder();
    const xattrs = new Map(
      Array.from({ length: 130 }, (_, index) => [`user.${index}`, Buffer.alloc(900)] as const),
    );
    builder.put('/a/file', { ...plain, type: 'fifo', xattrs });
    await expect(populate(image, builder.build(), { pace })).rejects.toThrow(
      /\/a\/file: error: its extended attributes need 130 blocks \(at most 125\)/,
    );
    expect(image.bytes.equals(empty.bytes)).toBe(true);
  });

  test('what does not fit is refused before anything is written, and says how much is missing', async () => {
    const image = copyOf(empty);
    const size = 64 * 1024 ** 2;
    const builder = new TreeBuilder();
    builder.put('/large', { ...plain, type: 'file', size, content: patternContent(size, [[0, size]]) });
    await expect(populate(image, builder.build(), { pace })).rejects.toThrow(/the content needs .* are free/);
    expect(image.bytes.equals(empty.bytes)).toBe(true);
  });

  test('it fits to the last block', async () => {
    const summary = await summariseGfs2(empty.source, pace);
    const bytesOf = (blocks: number): Tree => {
      const builder = new TreeBuilder();
      // 6 indirect blocks a MiB, and 8 for the top levels.
      const size = blocks * 1024;
      const content = { kind: 'inline', bytes: Buffer.alloc(size, 1) } as const;
      builder.put('/large', { ...plain, type: 'file', size, content });
      return builder.build();
    };
    // Height 3: one top pointer for each 125 indirect blocks of 125 pointers.
    let data = summary.freeBlocks;
    const needed = (blocks: number): number =>
      1 + blocks + Math.ceil(blocks / 125) + Math.ceil(blocks / 125 / 125);
    while (needed(data) > summary.freeBlocks) data -= 1;
    const image = copyOf(empty);
    await populate(image, bytesOf(data), { pace });
    expect((await summariseGfs2(image.source, pace)).freeBlocks).toBe(summary.freeBlocks - needed(data));
    expect((await checkGfs2(image.source, { pace, quotaValues: true })).faults).toEqual([]);
    await expect(populate(copyOf(empty), bytesOf(data + 1), { pace })).rejects.toThrow(/the content needs/);
  });

  test.each<[string, RegExp, (damage: Gfs2Damage) => void | Promise<void>]>([
    [
      'a journal that waits to be replayed',
      /empty but damaged: the head of the journal was not unmounted cleanly/,
      async (damage) => damage.setLogFlags(await damage.journalHead(), 0),
    ],
    [
      'a journal marked as free',
      /empty but damaged: .* marked as free/,
      (damage) => {
        const block = damage.target(damage.files.journals[0] ?? 0);
        damage.setState(block, 0);
        damage.add(damage.groupOf(block).address, 28, 1);
      },
    ],
    [
      'a used inode number beyond the next',
      /its next inode number is 3/,
      (damage) => damage.set(damage.files.inodeNumbers, 232, 3, 8),
    ],
    [
      'a quota file that has grown',
      /quota file has grown/,
      (damage) => damage.set(damage.files.quota, 56, 264, 8),
    ],
    ['attributes of the root', /is not empty/, (damage) => damage.set(damage.root, 64, 2, 8)],
  ])('%s: nothing is written', async (_, message, change) => {
    const damage = new Gfs2Damage(empty);
    await change(damage);
    const before = Buffer.from(damage.image.bytes);
    await expect(populate(damage.image, new TreeBuilder().build(), { pace })).rejects.toThrow(message);
    expect(damage.image.bytes.equals(before)).toBe(true);
  });

  test('a filesystem with something in it is refused', async () => {
    const image = copyOf(empty);
    const builder = new TreeBuilder();
    builder.put('/file', { ...plain, type: 'fifo' });
    await populate(image, builder.build(), { pace });
    await expect(populate(image, builder.build(), { pace })).rejects.toThrow(/not empty: it has 13 inodes/);
  });

  test('a write that fails in the last step leaves the filesystem empty', async () => {
    const builder = new TreeBuilder();
    builder.put('/file', { ...plain, type: 'fifo' });
    for (let failing = 1; failing <= 5; failing++) {
      const image = copyOf(empty);
      let flushes = 0;
      let writes = 0;
      const sink = {
        ...image.sink,
        write: (bytes: Uint8Array, offset: number) => {
          // From the first flush on, what is in use is written.
          if (flushes > 0 && ++writes === failing) throw new Error('no space');
          image.sink.write(bytes, offset);
        },
        flush: () => {
          flushes += 1;
        },
      };
      await expect(populate({ source: image.source, sink }, builder.build(), { pace })).rejects.toThrow(
        'no space',
      );
      expect((await checkGfs2(image.source, { pace, quotaValues: true })).faults).toEqual([]);
      expect((await treeOf(image)).nodes().size).toBe(0);
    }
  });

  test('an interruption leaves the filesystem empty', async () => {
    const image = copyOf(empty);
    const abort = new AbortController();
    const builder = new TreeBuilder();
    for (let index = 0; index < 20_000; index++) builder.put(`/d/${index}`, { ...plain, type: 'fifo' });
    const running = populate(image, builder.build(), {
      pace: new Pace(abort.signal),
      onProgress: () => abort.abort(),
    });
    await expect(running).rejects.toThrow('interrupted');
    expect((await checkGfs2(image.source, { pace, quotaValues: true })).faults).toEqual([]);
    expect((await treeOf(image)).nodes().size).toBe(0);
  });
});

describeWith([...MKFS_GFS2_TOOLS, 'gfs2_edit'], "gfs2_edit reads what is not in the kernel's view", () => {
  test('device numbers, quotas, statfs and the next inode number', async () => {
    const { writeFileSync } = await import('node:fs');
    const image = await makeGfs2Image(folder);
    const builder = new TreeBuilder();
    builder.put('/device', { ...plain, type: 'block', major: 4095, minor: 1_048_575 });
    builder.put('/mine', { ...plain, uid: 2, gid: 1, type: 'fifo' });
    await populate(image, builder.build(), { pace });
    const path = join(folder, 'edit.img');
    writeFileSync(path, image.bytes);
    const edit = (...args: string[]): string => run('gfs2_edit', [...args, path], { env: { TERM: 'dumb' } });
    const device = new Gfs2Filesystem(image.source).readDirectory(new Gfs2Filesystem(image.source).root)[0]
      ?.inode;
    expect(edit('-p', `${device}`)).toMatch(/di_major +4095 [\s\S]*di_minor +1048575 /);
    // Root and device belong to user 0, the fifo to user 2 and group 1.
    expect([...edit('-p', 'quota').matchAll(/qu_value +(\d+) /g)].map(([, value]) => Number(value))).toEqual([
      2, 2, 0, 1, 1,
    ]);
    const statfs = edit('-p', 'statfs');
    const summary = await summariseGfs2(image.source, pace);
    expect(Number(/sc_free +(\d+)/.exec(statfs)?.[1])).toBe(summary.freeBlocks);
    expect(Number(/sc_dinodes +(\d+)/.exec(statfs)?.[1])).toBe(summary.usedDinodes);
    expect(edit('-p', 'inum')).toContain(`Next inode num = ${summary.ownDinodes + 1 + 2} `);
  });
});
