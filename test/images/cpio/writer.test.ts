import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { CPIO_FIDELITY, treeOfCpio } from '../../../images/cpio/reader.js';
import { type WriteCpioOptions, type WriteCpioSummary, writeCpio } from '../../../images/cpio/writer.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { makeHostTree } from '../../support/host-tree.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();

async function archiveOf(
  tree: Tree,
  options: Partial<WriteCpioOptions> = {},
): Promise<{ bytes: Buffer; summary: WriteCpioSummary }> {
  const pieces: Buffer[] = [];
  const stream = { write: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)) };
  const summary = await writeCpio(stream, tree, { pace, ...options });
  return { bytes: Buffer.concat(pieces), summary };
}

function hasMoreThanTime(fields: object = {}): boolean {
  return Object.keys(fields).some((name) => name !== 'mtime');
}

const seconds = (value: number) => ({ seconds: value, nanoseconds: 0 });

/** Every kind of file, with names that an archiver could trip over. */
function mixedTree(): Tree {
  const attributes = { ...plain, mtime: seconds(1_000_000_000) };
  const builder = new TreeBuilder({ ...attributes, mode: 0o751 });
  const big = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
  builder.put('bin/tool', text('#!/bin/sh\n', { ...attributes, mode: 0o6755, uid: 7, gid: 70_000 }));
  builder.put('big', { ...text('', attributes), size: big.length, content: { kind: 'inline', bytes: big } });
  builder.put('dev/console', { ...attributes, mode: 0o600, type: 'character', major: 5, minor: 1 });
  builder.put('dev/disk', { ...attributes, mode: 0o660, type: 'block', major: 98, minor: 4096 });
  builder.put('pipe', { ...attributes, type: 'fifo' });
  builder.put('link', { ...attributes, mode: 0o777, type: 'symlink', target: 'bin/tool' });
  builder.put('empty', text('', attributes));
  builder.put('TRAILER!!!', text('not the end', attributes));
  builder.put('na\xefve \xff', text('bytes', attributes));
  builder.put('z', text('three names', attributes));
  builder.link('a', 'z');
  builder.link('bin/m', 'z');
  builder.put('no data', text('', attributes));
  builder.link('no data either', 'no data');
  return builder.build();
}

describe('an archive', () => {
  test('is read back as it was', async () => {
    const tree = mixedTree();
    const { bytes, summary } = await archiveOf(tree);
    const back = await treeOfCpio(new MemorySource(bytes), pace);
    expect(await differencesOf(tree, back)).toEqual([]);
    expect(back.root.mode).toBe(0o751);
    expect(back.get('a')).toBe(back.get('bin/m'));
    expect(summary).toEqual({ members: [...tree.entries()].length, bytes: bytes.length, notKept: [] });
    expect(bytes.length % 512).toBe(0);
  });

  test('has inodes in order and the data of linked files once, with the last name', async () => {
    const { bytes } = await archiveOf(mixedTree());
    const content = bytes.toString('latin1');
    expect(content.split('three names')).toHaveLength(2);
    expect(content.indexOf('three names')).toBeGreaterThan(content.indexOf('\0z\0'));
    const inodes = [...content.matchAll(/070701([0-9a-f]{8})/g)].map((match) =>
      Number.parseInt(match[1]!, 16),
    );
    expect(inodes.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(inodes.at(-1)).toBe(0);
  });

  test('of equal trees has equal bytes, whatever the order they were made in', async () => {
    const forwards = treeWith({ a: text('1'), b: text('2'), 'c/d': text('3') });
    const backwards = treeWith({ 'c/d': text('3'), b: text('2'), a: text('1') });
    expect((await archiveOf(backwards)).bytes.equals((await archiveOf(forwards)).bytes)).toBe(true);
  });

  test('has no time after its epoch, and says which times it could not keep', async () => {
    const tree = treeWith({
      late: text('', { mtime: seconds(2_000_000_000) }),
      early: text('', { mtime: seconds(-5) }),
      exact: text('', { mtime: { seconds: 7, nanoseconds: 9 } }),
    });
    const { bytes, summary } = await archiveOf(tree, { epoch: 1_000_000_000 });
    const back = await treeOfCpio(new MemorySource(bytes), pace);
    expect(back.get('late')?.mtime).toEqual(seconds(1_000_000_000));
    expect(back.get('early')?.mtime).toEqual(seconds(0));
    expect(back.get('exact')?.mtime).toEqual(seconds(7));
    expect(summary.notKept.map(({ what }) => what)).toEqual([
      'the nanoseconds of the time of 2 entries',
      'the time of 1 entry',
    ]);
  });

  test('gives holes as zeros, also long ones', async () => {
    const source = new MemorySource(Buffer.from('data'));
    const extents = () => [{ offset: 300_000, position: 0, length: 4 }];
    const file = {
      ...plain,
      type: 'file' as const,
      size: 500_001,
      content: { kind: 'extents' as const, source, extents },
    };
    const { bytes } = await archiveOf(treeWith({ file }));
    const back = await treeOfCpio(new MemorySource(bytes), pace);
    expect(await differencesOf(new Tree(treeWith({ file }).root, CPIO_FIDELITY), back)).toEqual([]);
  });
});

describe('what no archive holds', () => {
  const noContent = {
    kind: 'extents' as const,
    source: new MemorySource(Buffer.alloc(0)),
    extents: () => [],
  };

  test.each([
    [
      'a file of 4 GiB',
      { 'a/file': { ...text(''), size: 2 ** 32, content: noContent } },
      /\/a\/file: .*less than 4 GiB/,
    ],
    [
      'a size beyond all',
      { file: { ...text(''), size: Number.POSITIVE_INFINITY, content: noContent } },
      /4 GiB/,
    ],
    [
      'a long target',
      { link: { ...text(''), type: 'symlink' as const, target: 'x'.repeat(4097) } },
      /symbolic link of 4097/,
    ],
    [
      'a long path',
      { [`${'d'.repeat(200)}/`.repeat(20) + 'e'.repeat(76)]: text('') },
      /a path of 4096 bytes/,
    ],
  ])('%s', async (_name, entries, message) => {
    await expect(archiveOf(treeWith(entries))).rejects.toThrowError(message);
  });

  test('an abort ends it', async () => {
    const controller = new AbortController();
    const stream = { write: () => controller.abort() };
    const extents = () => [];
    const file = { ...text(''), size: 2 ** 32 - 1, content: { ...noContent, extents } };
    const written = writeCpio(stream, treeWith({ file }), { pace: new Pace(controller.signal) });
    await expect(written).rejects.toThrowError(/interrupted/);
  });
});

describeWith(['cpio', 'bsdtar'], 'judged by other archivers', () => {
  const tree = mixedTree();
  const archive = join(folder, 'mixed.cpio');

  test('GNU cpio lists it', async () => {
    writeFileSync(archive, (await archiveOf(tree)).bytes);
    const listing = run('cpio', ['-tv', '--quiet', '-n', '-F', archive]);
    expect(listing).toMatch(/^-rwsr-sr-x +1 7 +70000 +10 Sep .* 2001 bin\/tool$/m);
    expect(listing).toMatch(/^crw------- .* 5, +1 .* dev\/console$/m);
    expect(listing).toMatch(/^brw-rw---- .* 98, *4096 .* dev\/disk$/m);
    expect(listing).toMatch(/^prw-r--r-- .* pipe$/m);
    expect(listing).toMatch(/^lrwxrwxrwx .* link -> bin\/tool$/m);
    expect(listing.trim().split('\n')).toHaveLength([...tree.entries()].length);
  });

  test('bsdtar lists the same names', () => {
    const names = run('bsdtar', ['-tf', archive]).trim().split('\n');
    expect(names).toHaveLength([...tree.entries()].length);
    expect(names).toContain('bin/tool');
    expect(run('bsdtar', ['-tvf', archive])).toMatch(/bin\/m link to a$|a link to/m);
  });

  test.each([
    ['cpio', ['-i', '--quiet', '-m', '-d', '--no-absolute-filenames', '-F']],
    ['bsdtar', ['-xpf']],
  ] as const)('%s unpacks what any user can have as it was', async (program, args) => {
    const source = join(folder, `source-${program}`);
    mkdirSync(source);
    makeHostTree(source);
    const original = await treeOfDirectory(source, pace);
    const file = join(folder, `${program}.cpio`);
    writeFileSync(file, (await archiveOf(original)).bytes);
    const target = join(folder, `target-${program}`);
    mkdirSync(target);
    run(program, [...args, file], { cwd: target });
    const unpacked = await treeOfDirectory(target, pace);
    // Times before 1970 do not fit its unsigned field. GNU cpio sets the times of files only.
    const isTimed = (path: string): boolean =>
      path !== '/size-511' &&
      path !== '/' &&
      (program !== 'cpio' || original.get(path.slice(1))?.type === 'file');
    const differences = (await differencesOf(new Tree(original.root, CPIO_FIDELITY), unpacked)).filter(
      (difference) =>
        isTimed(difference.path) || difference.kind !== 'changed' || hasMoreThanTime(difference.fields),
    );
    expect(differences).toEqual([]);
    expect(readFileSync(join(target, 'size-20000')).length).toBe(20_000);
  });
});
