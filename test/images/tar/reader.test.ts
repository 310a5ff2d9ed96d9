import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from 'tar';
import { describe, expect, test } from 'vitest';
import { FileSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { isTar, treeOfTar } from '../../../images/tar/reader.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import type { Tree } from '../../../images/tree/tree.js';
import { HandMadeTar } from '../../support/hand-made-tar.js';
import { addRawName, makeHostTree } from '../../support/host-tree.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();

async function readTar(path: string): Promise<Tree> {
  const source = new FileSource(path);
  expect(isTar(source)).toBe(true);
  return treeOfTar(source, pace);
}

describeWith(['tar'], 'archives of GNU tar', () => {
  const source = join(folder, 'tree');
  mkdirSync(source);
  makeHostTree(source);
  addRawName(source);

  test.each([
    ['gnu', ['--format=gnu']],
    ['oldgnu, sparse', ['--format=oldgnu', '-S']],
    ['gnu, sparse', ['--format=gnu', '-S']],
    ['pax', ['--format=pax']],
    ['pax, sparse 0.0', ['--format=pax', '-S', '--sparse-version=0.0']],
    ['pax, sparse 0.1', ['--format=pax', '-S', '--sparse-version=0.1']],
    ['pax, sparse 1.0', ['--format=pax', '-S', '--sparse-version=1.0']],
  ] as const)('%s: every name, attribute and content', async (name, options) => {
    const archive = join(folder, `${name}.tar`);
    run('tar', [...options, '-cf', archive, '-C', source, '.']);
    const read = await readTar(archive);
    const differences = await differencesOf(await treeOfDirectory(source, pace), read);
    // The GNU forms have whole seconds.
    const kept = differences.filter(({ fields }) => {
      const names = Object.keys(fields ?? { other: 0 });
      return name.includes('pax') || names.some((field) => field !== 'mtimeNanoseconds');
    });
    expect(kept).toEqual([]);
  });

  test('ustar and v7, as far as they can hold it', async () => {
    const small = join(folder, 'small');
    mkdirSync(join(small, 'a'.repeat(90), 'b'.repeat(60)), { recursive: true });
    writeFileSync(join(small, 'a'.repeat(90), 'b'.repeat(60), 'file'), 'split between name and prefix\n');
    const ustar = join(folder, 'ustar.tar');
    run('tar', ['--format=ustar', '--mtime=@1000000000', '-cf', ustar, '-C', small, '.']);
    expect((await readTar(ustar)).get(`${'a'.repeat(90)}/${'b'.repeat(60)}/file`)).toMatchObject({
      type: 'file',
      size: 30,
    });
    mkdirSync(join(folder, 'tiny', 'sub'), { recursive: true });
    writeFileSync(join(folder, 'tiny', 'sub', 'x'), 'x');
    const v7 = join(folder, 'v7.tar');
    run('tar', ['--format=v7', '--mtime=@1000000000', '-cf', v7, '-C', join(folder, 'tiny'), '.']);
    const tree = await readTar(v7);
    expect(tree.get('sub')?.type).toBe('directory');
    expect(tree.get('sub/x')).toMatchObject({ type: 'file', mtime: { seconds: 1_000_000_000 } });
  });

  test.each(['gnu', 'pax'])('owners beyond what octal digits hold (%s)', async (format) => {
    const archive = join(folder, `owner-${format}.tar`);
    run('tar', [
      `--format=${format}`,
      '--owner=x:4294967290',
      '--group=y:3000000000',
      '-cf',
      archive,
      '-C',
      source,
      'size-1',
    ]);
    expect((await readTar(archive)).get('size-1')).toMatchObject({ uid: 4294967290, gid: 3000000000 });
  });
});

test('archives of another writer (the npm package tar)', async () => {
  const source = join(folder, 'npm');
  mkdirSync(source);
  makeHostTree(source);
  const archive = join(folder, 'npm.tar');
  // It would wait for somebody to write into the fifo.
  rmSync(join(source, 'fifo'));
  await create({ file: archive, cwd: source, portable: false }, ['.']);
  const read = await readTar(archive);
  const differences = await differencesOf(await treeOfDirectory(source, pace), read);
  // That writer rounds times.
  const kept = differences.filter(({ fields }) => {
    const names = Object.keys(fields ?? { other: 0 }).filter(
      (name) => name !== 'mtimeNanoseconds' && name !== 'mtime',
    );
    return names.length > 0;
  });
  expect(kept).toEqual([]);
});

const archive = (): HandMadeTar => new HandMadeTar();
const read = (bytes: Buffer): Promise<Tree> => treeOfTar(new MemorySource(bytes, 'hostile.tar'), pace);

describe('hostile archives', () => {
  test.each([
    [
      'a name that leads out',
      archive().member('../passwd'),
      /byte 0: \.\.\/passwd: error: its name has a ".." that would lead out/,
    ],
    ['a name that leads out in the middle', archive().member('a/../../passwd'), /has a "\.\."/],
    [
      'a path through a symbolic link',
      archive().member('a', { type: '2', link: '/etc' }).member('a/passwd'),
      /byte 512: .*leads through a, which is a symlink/,
    ],
    [
      'a hard link that leads out',
      archive().member('a', { type: '1', link: '../../etc/passwd' }),
      /its target has a "\.\."/,
    ],
    [
      'a hard link to nothing',
      archive().member('a', { type: '1', link: 'b' }),
      /a hard link to b, which is no earlier member/,
    ],
    [
      'a hard link to a directory',
      archive().member('b', { type: '5' }).member('a', { type: '1', link: 'b' }),
      /which is a directory/,
    ],
    ['a file as the root', archive().member('.'), /the root is something else than a directory/],
    ['an unknown type', archive().member('a', { type: 'Z' }), /unknown type "Z"/],
    ['a part of another volume', archive().member('a', { type: 'M' }), /multi-volume/],
    [
      'more data than the archive has',
      archive().member('a', { size: '77777777777\0' }),
      /the archive is cut short/,
    ],
    [
      'a negative size',
      archive().member('a', { size: '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' }),
      /its size is no number/,
    ],
    ['a size that is no number', archive().member('a', { size: 'what?\0' }), /its size is no number/],
    ['a symbolic link to nothing', archive().member('a', { type: '2' }), /without a target/],
    [
      'a damaged extended header',
      archive().member('x', { type: 'x', data: '99 path=b\n' }).member('a'),
      /a damaged extended header/,
    ],
    [
      'an endless long name',
      archive().member('x', { type: 'L', size: '77777777777\0' }),
      /a name or extended header of/,
    ],
    [
      'a time that is no number',
      archive().member('x', { type: 'x', data: '15 mtime=never\n' }).member('a'),
      /modification time is no number/,
    ],
    [
      'an owner out of range',
      archive().member('x', { type: 'x', data: '18 uid=4294967296\n' }).member('a'),
      /its uid is out of range/,
    ],
  ] as const)('%s', async (_name, hostile, message) => {
    await expect(read(hostile.bytes())).rejects.toThrowError(message);
  });

  test.each([
    ['past its end', '0,10,2000,10'],
    ['out of order', '500,10,100,10'],
    ['more than its data', '0,1000'],
    ['not a pair', '0,10,20'],
    ['no numbers', 'a,b'],
  ])('a sparse map %s', async (_name, map) => {
    const hostile = archive()
      .pax({ 'GNU.sparse.size': '1000', 'GNU.sparse.map': map })
      .member('a', { data: 'x'.repeat(20) });
    await expect(read(hostile.bytes())).rejects.toThrowError(/sparse map|real size/);
  });

  test('absolute names stay inside', async () => {
    expect((await read(archive().member('/etc/passwd').bytes())).get('etc/passwd')?.type).toBe('file');
  });

  test('a later member replaces an earlier one, directories keep their entries', async () => {
    const tree = await read(
      archive()
        .member('d/a', { data: 'old' })
        .member('d', { type: '5', mode: '0000700\0' })
        .member('d/a', { data: 'newer' })
        .bytes(),
    );
    expect(tree.get('d')).toMatchObject({ type: 'directory', mode: 0o700 });
    expect(tree.get('d/a')).toMatchObject({ size: 5 });
  });

  test('an archive that is cut anywhere is refused, with the place', async () => {
    const whole = archive()
      .member('a', { data: 'x'.repeat(700) })
      .member('b', { data: 'y' })
      .bytes();
    for (let length = 1; length < whole.length - 1024; length += 100) {
      if ([1536, 2048, 2560].includes(length)) continue;
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrowError(
        /hostile\.tar: byte \d+/,
      );
    }
  });

  test('other files are no archives', () => {
    expect(isTar(new MemorySource(Buffer.alloc(0)))).toBe(false);
    expect(isTar(new MemorySource(readFileSync('package.json')))).toBe(false);
    expect(isTar(new MemorySource(Buffer.alloc(10 * 1024 * 1024)))).toBe(false);
    expect(isTar(new MemorySource(Buffer.alloc(10240)))).toBe(true);
  });
});
