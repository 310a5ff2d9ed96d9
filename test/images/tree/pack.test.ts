import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ByteSource, FileSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { digestOf } from '../../../images/tree/content.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import { packContents } from '../../../images/tree/pack.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { digestOfFile } from '../../../pipelines/cache/file-digest.js';
import { nastyTree } from '../../fixtures/nasty-tree.js';
import { patternContent } from '../../fixtures/pattern-source.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { differencesOf } from '../../support/tree-of.js';

const never = (): boolean => false;

async function packed(tree: Tree, lasts: (source: ByteSource) => boolean = never) {
  const path = join(temporaryFolder(), 'pack');
  const pack = await packContents(tree, path, lasts, new Pace());
  const source = new FileSource(path);
  expect(await digestOfFile(path, new Pace())).toEqual({ sha256: pack.sha256, size: pack.size });
  return { path, pack, source, tree: pack.tree(source) };
}

function contentOf(tree: Tree, path: string): FileNode['content'] {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`no file ${path}`);
  return node.content;
}

test('a directory of the host: the Tree outlives the files', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'small'), 'small');
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'middle'), 'middle '.repeat(100));
  writeFileSync(join(folder, 'large'), Buffer.alloc(3_000_000, 'large '));
  const before = await treeOfDirectory(folder, new Pace());
  const digests = new Map<string, string>();
  for (const { path, node } of before.entries())
    if (node.type === 'file') digests.set(path, await digestOf(node.content, node.size, new Pace()));
  const { tree, source } = await packed(before);
  for (const name of ['small', 'empty', 'middle', 'large']) truncateSync(join(folder, name), 0);
  for (const [path, digest] of digests) {
    const node = tree.get(path);
    if (node?.type !== 'file') throw new Error('no file');
    expect(await digestOf(node.content, node.size, new Pace())).toBe(digest);
  }
  expect(contentOf(tree, 'small').kind).toBe('inline');
  expect(contentOf(tree, 'large')).toMatchObject({ kind: 'extents', source });
});

test('what lasts stays where it is; what does not goes into the pack', async () => {
  const lasting = new MemorySource(Buffer.alloc(5000, 'lasting'), 'lasting');
  const fleeting = new MemorySource(Buffer.alloc(5000, 'fleeting'), 'fleeting');
  const builder = new TreeBuilder(plain);
  for (const source of [lasting, fleeting]) {
    const extents = [{ offset: 0, position: 0, length: 5000 }];
    const content = { kind: 'extents', source, extents: () => extents } as const;
    builder.put(source.name, { ...plain, type: 'file', size: 5000, content });
  }
  builder.put('long text', text('x'.repeat(5000)));
  const { tree, pack, source } = await packed(builder.build(), (of) => of === lasting);
  expect(contentOf(tree, 'lasting')).toMatchObject({ source: lasting });
  expect(contentOf(tree, 'fleeting')).toMatchObject({ source });
  expect(contentOf(tree, 'long text')).toMatchObject({ source });
  expect(pack.size).toBe(10_000);
  expect(await differencesOf(builder.build(), tree)).toEqual([]);
});

test('hard links, and everything that is no content, stay as they are', async () => {
  const attributes = { mode: 0o6755, uid: 7, xattrs: new Map([['user.a', Buffer.from('x')]]) };
  const before = treeWith(
    {
      file: text('y'.repeat(1000), attributes),
      folder: 'directory',
      link: { ...plain, type: 'symlink', target: 'file' },
      device: { ...plain, type: 'block', major: 1, minor: 2 },
    },
    { 'folder/same': 'file', 'folder/link': 'link' },
  );
  const { tree, pack } = await packed(before);
  expect(await differencesOf(before, tree)).toEqual([]);
  expect(tree.get('file')).toBe(tree.get('folder/same'));
  expect(tree.get('link')).toBe(tree.get('folder/link'));
  expect(pack.size).toBe(1000);
  expect(tree.fidelity).toEqual(before.fidelity);
});

test('zeros take no room: neither holes, nor zeros that were stored, nor those of a sparse file', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'sparse');
  const size = 40 * 1024 * 1024;
  const file = SparseFile.create(path, size);
  file.write(Buffer.from('start'), 0);
  file.write(Buffer.alloc(10_000, 'middle'), 20 * 1024 * 1024 - 3);
  file.write(Buffer.from('end'), size - 3);
  file.close();
  writeFileSync(join(folder, 'zeros'), Buffer.alloc(100_000));
  const builder = TreeBuilder.from(await treeOfDirectory(folder, new Pace()));
  const runs = [
    [70_000, 5],
    [2 ** 33, 5],
  ] as const;
  builder.put('hole', { ...plain, type: 'file', size: 2 ** 33 + 5, content: patternContent(1, runs) });
  const before = builder.build();
  const { tree, pack, path: packPath } = await packed(before);
  expect(pack.size).toBeLessThan(64 * 1024);
  expect(statSync(packPath).blocks * 512).toBeLessThan(128 * 1024);
  const [one, other] = [before, tree].map((each) => {
    const readable = TreeBuilder.from(each);
    readable.remove('hole');
    return readable.build();
  }) as [Tree, Tree];
  expect(await differencesOf(one, other)).toEqual([]);
  const hole = contentOf(tree, 'hole');
  if (hole.kind !== 'extents') throw new Error('no extents');
  expect([...hole.extents()].map(({ offset, length }) => [offset, length])).toEqual([
    [70_000, 5],
    [2 ** 33, 5],
  ]);
  expect(contentOf(tree, 'zeros')).toMatchObject({ kind: 'extents' });
});

test('nothing to pack', async () => {
  const { pack, tree } = await packed(treeWith({ small: text('small') }));
  expect(pack.size).toBe(0);
  expect(await differencesOf(treeWith({ small: text('small') }), tree)).toEqual([]);
});

test('the same Tree always gives the same pack', async () => {
  const tree = nastyTree(512);
  const [one, other] = [await packed(tree), await packed(nastyTree(512))];
  expect(one.pack.sha256).toBe(other.pack.sha256);
  expect(readFileSync(one.path).equals(readFileSync(other.path))).toBe(true);
});

test('the nasty tree has the same contents afterwards', async () => {
  const builder = TreeBuilder.from(nastyTree(4096));
  // Gigabytes of holes take long to hash; they are looked at above.
  for (const { path, node } of [...builder.build().entries()])
    if (node.type === 'file' && node.size > 20 * 1024 * 1024) builder.remove(path);
  const before = builder.build();
  const { tree } = await packed(before);
  expect(await differencesOf(before, tree)).toEqual([]);
});

test('a file that changes while it is packed, or is gone: an error, and nothing stays', async () => {
  for (const change of [
    (path: string) => truncateSync(path, 5000),
    (path: string) => writeFileSync(path, Buffer.alloc(20_000)),
  ]) {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), Buffer.alloc(10_000, 'x'));
    const tree = await treeOfDirectory(folder, new Pace());
    change(join(folder, 'file'));
    const path = join(temporaryFolder(), 'pack');
    await expect(packContents(tree, path, never, new Pace())).rejects.toThrow('when it was listed');
    expect(existsSync(path)).toBe(false);
  }
});

test('an interruption ends it, and nothing stays', async () => {
  const controller = new AbortController();
  const pace = new Pace(controller.signal);
  const builder = new TreeBuilder(plain);
  const size = 2 ** 33;
  builder.put('endless', { ...plain, type: 'file', size, content: patternContent(1, [[0, size]]) });
  const path = join(temporaryFolder(), 'pack');
  setTimeout(() => controller.abort(), 100);
  await expect(packContents(builder.build(), path, never, pace)).rejects.toThrow('interrupted');
  expect(existsSync(path)).toBe(false);
});

test('a node under many names is packed once', async () => {
  const node: TreeNode = text('z'.repeat(3000));
  const builder = new TreeBuilder(plain);
  for (let index = 0; index < 50; index++) builder.put(`${index}`, node);
  expect((await packed(builder.build())).pack.size).toBe(3000);
});
