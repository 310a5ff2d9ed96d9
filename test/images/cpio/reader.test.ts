import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { isCpio, treeOfCpio } from '../../../images/cpio/reader.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { makeHostTree } from '../../support/host-tree.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, tool } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();

function makeCpio(format: string, source: string): string {
  const archive = join(folder, `${format}.cpio`);
  const names = execFileSync('find', ['.', '-print0'], { cwd: source });
  execFileSync(tool('cpio'), ['--quiet', '-0', '-o', '-H', format, '-F', archive], {
    cwd: source,
    input: names,
  });
  return archive;
}

describeWith(['cpio'], 'archives of GNU cpio', () => {
  const source = join(folder, 'tree');
  mkdirSync(source);
  makeHostTree(source);

  test.each(['newc', 'crc', 'odc'])('%s: every name, attribute and content', async (format) => {
    const archive = new FileSource(makeCpio(format, source));
    expect(isCpio(archive)).toBe(true);
    const differences = await differencesOf(
      await treeOfDirectory(source, pace),
      await treeOfCpio(archive, pace),
    );
    // Times before 1970 do not fit its unsigned field.
    expect(differences.filter(({ path }) => path !== '/size-511')).toEqual([]);
  });

  test('several archives one after the other, with padding, as in an initramfs', async () => {
    const one = readFileSync(makeCpio('newc', join(source, 'folder')));
    const two = readFileSync(makeCpio('newc', source));
    const tree = await treeOfCpio(new MemorySource(Buffer.concat([one, Buffer.alloc(1024), two])), pace);
    expect(tree.get('size-1')?.type).toBe('file');
    expect(tree.get('link')?.type).toBe('symlink');
  });
});

/** A newc member by hand; `fields` may replace the text of some of its fields, by index. */
function member(
  name: string,
  mode: number,
  data = '',
  nameBytes = name.length + 1,
  fields: Readonly<Record<number, string>> = {},
): Buffer {
  const values = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, nameBytes, 0];
  const texts = values.map((value, index) => fields[index] ?? value.toString(16).padStart(8, '0'));
  const head = Buffer.from(`070701${texts.join('')}${name}\0`, 'latin1');
  const pad = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);
  return Buffer.concat([head, pad(head.length), Buffer.from(data, 'latin1'), pad(data.length)]);
}

const trailer = member('TRAILER!!!', 0);

/** One of several names of a file. */
function linked(inode: number, name: string, data = ''): Buffer {
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  return member(name, 0o100644, data, name.length + 1, { 0: hex(inode), 4: hex(2) });
}

describe('names of one file', () => {
  const read = (...members: Buffer[]) =>
    treeOfCpio(new MemorySource(Buffer.concat(members), 'links.cpio'), pace);

  test('its data comes with the last of them, or with any', async () => {
    for (const [one, two, three] of [
      ['', '', 'data'],
      ['data', '', ''],
      ['', 'data', ''],
      ['data', 'data', 'data'],
    ] as const) {
      const tree = await read(linked(7, 'a', one), linked(7, 'b', two), linked(7, 'c/d', three), trailer);
      const node = tree.get('a');
      expect(node).toMatchObject({ type: 'file', size: 4 });
      expect(tree.get('b')).toBe(node);
      expect(tree.get('c/d')).toBe(node);
    }
  });

  test('a link with the number of a file is another file', async () => {
    const link = member('b', 0o120777, 'a', 2, { 0: '00000007', 4: '00000002' });
    const tree = await read(linked(7, 'a', 'data'), link, trailer);
    expect(tree.get('a')?.type).toBe('file');
    expect(tree.get('b')).toMatchObject({ type: 'symlink', target: 'a' });
  });

  test('do not reach from one archive into the next', async () => {
    const tree = await read(linked(7, 'a', 'one'), trailer, linked(7, 'b', 'three'), trailer);
    expect(tree.get('a')).toMatchObject({ size: 3 });
    expect(tree.get('b')).toMatchObject({ size: 5 });
  });

  test('many files with two names each take no longer than as many without', async () => {
    const measure = async (name: (index: number, part: string) => Buffer): Promise<number> => {
      const members = Array.from({ length: 30_000 }, (_, index) => [
        name(index, 'a'),
        name(index, 'b'),
      ]).flat();
      const archive = new MemorySource(Buffer.concat([...members, trailer]));
      const start = performance.now();
      await treeOfCpio(archive, new Pace());
      return performance.now() - start;
    };
    const plain = await measure((index, part) => member(`${part}/${index}`, 0o100644, 'data'));
    const links = await measure((index, part) =>
      linked(index, `${part}/${index}`, part === 'b' ? 'data' : ''),
    );
    // To look for each file's names among all others took several hundred times as long.
    expect(links).toBeLessThan(plain * 5 + 500);
  });
});

describe('hostile archives', () => {
  const read = (...members: Buffer[]) =>
    treeOfCpio(new MemorySource(Buffer.concat(members), 'hostile.cpio'), pace);

  test.each([
    ['a name that leads out', [member('../x', 0o100644)], /byte 0: error: \.\.\/x: the name has a "\.\."/],
    [
      'a path through a link',
      [member('a', 0o120777, '/etc'), member('a/x', 0o100644)],
      /leads through a symlink/,
    ],
    ['a file as the root', [member('.', 0o100644)], /the root is something else/],
    ['an unknown type', [member('a', 0o150644)], /unknown type 0150000/],
    ['a name that is too long', [member('a', 0o100644, '', 0x7fffffff)], /a name of 2147483647 bytes/],
    ['no number in a field', [Buffer.from('070701'.padEnd(120, 'z'))], /a field that is no number/],
    ['garbage after a member', [member('a', 0o100644), Buffer.from('x'.repeat(200))], /no cpio header/],
    ['a symbolic link without a target', [member('a', 0o120777)], /a symbolic link of 0 bytes/],
  ] as const)('%s', async (_name, members, message) => {
    await expect(read(...members)).rejects.toThrowError(message);
  });

  test.each([
    ['newc', '-0000001'],
    ['newc', '+0000001'],
    ['newc', ' 0000001'],
    ['newc', '0x000001'],
    ['newc', '0000000g'],
    ['odc', '-0000000001'],
    ['odc', ' 0000000001'],
    ['odc', '00000000008'],
  ])('%s: a size of %j', async (format, size) => {
    const archive =
      format === 'newc'
        ? member('a', 0o100644, 'x', 2, { 6: size })
        : Buffer.from(`070707${'000001'.repeat(2)}100644${'000001'.repeat(4)}00000000000000002${size}a\0x`);
    await expect(read(archive, trailer)).rejects.toThrowError(
      /byte 0: error: a cpio header with a field that is no/,
    );
  });

  test('a size beyond 2^31 has no sign', async () => {
    for (const size of ['80000000', 'ffffffff'])
      await expect(read(member('a', 0o100644, 'x', 2, { 6: size }), trailer)).rejects.toThrowError(
        new RegExp(`cut short: ${Number.parseInt(size, 16)} bytes of data should follow`),
      );
  });

  test('without a trailer: cut between members', async () => {
    const one = member('a', 0o100644, 'data');
    await expect(read(one)).rejects.toThrowError(/hostile\.cpio: byte \d+: error: .*its trailer is missing/);
    await expect(read(one, Buffer.alloc(512))).rejects.toThrowError(/its trailer is missing/);
    await expect(read(one, trailer, one)).rejects.toThrowError(/its trailer is missing/);
    expect((await read(one, trailer, Buffer.alloc(512))).get('a')).toBeDefined();
  });

  test('everything thrown at random fields is a diagnostic', async () => {
    const nasty = [
      '00000000',
      'ffffffff',
      '7fffffff',
      '80000000',
      '0000ffff',
      '000041ed',
      '0000a1ff',
      '-0000001',
    ];
    for (let field = 0; field < 13; field++)
      for (let other = 0; other < 13; other++)
        for (const value of nasty)
          for (const text of nasty) {
            const archive = [member('a', 0o100644, 'data', 2, { [field]: value, [other]: text }), trailer];
            await read(...archive).catch((error: unknown) => expect(error).toBeInstanceOf(DiagnosticError));
          }
  });

  test('cut short', async () => {
    const whole = Buffer.concat([
      member('abc', 0o100644, 'data that goes on'),
      member('d', 0o100644),
      trailer,
    ]);
    for (let length = 1; length < whole.length - 3; length++) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrowError(
        /hostile\.cpio: byte \d+/,
      );
    }
  });
});
