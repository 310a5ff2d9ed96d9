import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { treeOfTar } from '../../../images/tar/reader.js';
import { readContent } from '../../../images/tree/content.js';
import type { TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { HandMadeTar } from '../../support/hand-made-tar.js';

const archive = (): HandMadeTar => new HandMadeTar();
const read = (bytes: Buffer): Promise<Tree> =>
  treeOfTar(new MemorySource(bytes, 'hand-made.tar'), new Pace());

function textOf(node: TreeNode | undefined): string {
  if (node?.type !== 'file') throw new Error(`not a file: ${node?.type}`);
  return readContent(node.content, node.size).toString('latin1');
}

describe('the end of an archive', () => {
  const members = archive().member('a', { data: 'x' });

  test.each([
    ['none of the two empty records', members.unended()],
    ['one of them', Buffer.concat([members.unended(), Buffer.alloc(512)])],
    ['more of them', Buffer.concat([members.bytes(), Buffer.alloc(8192)])],
    ['something after them', Buffer.concat([members.bytes(), Buffer.alloc(700, 'z')])],
  ])('%s', async (_name, bytes) => {
    expect(textOf((await read(bytes)).get('a'))).toBe('x');
  });

  test.each([
    [
      'an empty record between members',
      archive().member('a').raw(Buffer.alloc(512)).member('b').bytes(),
      512,
    ],
    ['an extended header and no member', archive().pax({ path: 'b' }).bytes(), 1024],
    [
      'a long name and no member',
      archive().member('././@LongLink', { type: 'L', data: 'b\0' }).unended(),
      1024,
    ],
  ])('%s is a fault', async (_name, bytes, offset) => {
    await expect(read(bytes)).rejects.toThrowError(`hand-made.tar: byte ${offset}: error:`);
  });

  test('an empty file is no archive', async () => {
    await expect(read(Buffer.alloc(0))).rejects.toThrowError(/an empty file is no tar archive/);
  });
});

describe('extended headers', () => {
  test('an empty value takes back what was said before', async () => {
    const tree = await read(
      archive()
        .pax({ uid: '7', mtime: '5.5' }, 'g')
        .pax({ uid: '', size: '', path: '' })
        .member('a', { data: 'abc' })
        .member('b')
        .bytes(),
    );
    expect(tree.get('a')).toMatchObject({ uid: 0, size: 3, mtime: { seconds: 5, nanoseconds: 500_000_000 } });
    expect(tree.get('b')).toMatchObject({ uid: 7 });
  });

  test.each([
    ['1.25', 1, 250_000_000],
    ['-1.25', -2, 750_000_000],
    ['-0.0000000001', -1, 999_999_999],
    ['-3', -3, 0],
    ['0.1234567899', 0, 123_456_789],
  ])('the time %s', async (mtime, seconds, nanoseconds) => {
    expect((await read(archive().pax({ mtime }).member('a').bytes())).get('a')?.mtime).toEqual({
      seconds,
      nanoseconds,
    });
  });

  test.each(['path', 'linkpath', 'size', 'GNU.sparse.size', 'SCHILY.xattr.user.a'])(
    'a global header must not give all files the same %s',
    async (key) => {
      const hostile = archive()
        .pax({ [key]: '1' }, 'g')
        .member('a');
      await expect(read(hostile.bytes())).rejects.toThrowError(`every member the same ${key}`);
    },
  );

  test.each([
    ['a size in hexadecimal', { size: '0x3' }, /its size is no number/],
    ['a NUL in a name', { path: 'a\0b' }, /its name has a name with a NUL byte/],
    ['a NUL in a target', { linkpath: 'a\0b' }, /whose target is no path/],
    ['an attribute without a name', { 'SCHILY.xattr.': 'x' }, /attribute without a proper name/],
    ['an attribute that is no base 64', { 'LIBARCHIVE.xattr.user.a': '?!' }, /no base 64/],
    ['an access control list with names', { 'SCHILY.acl.access': 'user:bob:rwx' }, /control list with names/],
  ])('%s', async (_name, records, message) => {
    const hostile = archive().pax(records).member('a', { type: '2', link: 'x' });
    await expect(read(hostile.bytes())).rejects.toThrowError(message);
  });

  test('a hundred thousand records, of which none is known', async () => {
    const hostile = archive().member('x', { type: 'x', data: '5 a=\n'.repeat(200_000) });
    expect((await read(hostile.member('a').bytes())).get('a')?.type).toBe('file');
  });

  test('no end of headers before a member', async () => {
    const hostile = archive();
    for (let count = 0; count < 5; count++) hostile.member('x', { type: 'L', data: 'a'.repeat(2_000_000) });
    await expect(read(hostile.member('a').bytes())).rejects.toThrowError(/a name or extended header of/);
  });

  test('a number of a million digits', async () => {
    const hostile = archive().pax({ mtime: `0.${'1'.repeat(4_000_000)}` });
    expect((await read(hostile.member('a').bytes())).get('a')?.mtime.nanoseconds).toBe(111_111_111);
  });

  test('extended attributes in both forms, and lists in text form', async () => {
    const tree = await read(
      archive()
        .pax({
          'LIBARCHIVE.xattr.user.%61': Buffer.from('coded').toString('base64'),
          'SCHILY.xattr.user.empty': '',
          'SCHILY.xattr.user.a%3Db%25': 'escaped',
          'SCHILY.acl.access': 'user::rw-\nuser:bob:r--:1000\ngroup::r--\nmask::r--\nother::---\n',
          'SCHILY.acl.default': 'user::rwx,group::r-x,other::r-x',
        })
        .member('a', { type: '5' })
        .bytes(),
    );
    const xattrs = Object.fromEntries(
      [...(tree.get('a')?.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value)]),
    );
    expect(xattrs).toEqual({
      'user.a': Buffer.from('coded'),
      'user.empty': Buffer.alloc(0),
      'user.a=b%': Buffer.from('escaped'),
      'system.posix_acl_access': Buffer.from(
        '0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff',
        'hex',
      ),
      'system.posix_acl_default': Buffer.from(
        '0200000001000700ffffffff04000500ffffffff20000500ffffffff',
        'hex',
      ),
    });
  });

  test('what an archive keeps is told by what it has', async () => {
    expect((await read(archive().member('a').bytes())).fidelity).toEqual({
      nanoseconds: false,
      xattrs: false,
    });
    const rich = archive().pax({ mtime: '1.5', 'SCHILY.xattr.user.a': 'b' }).member('a');
    expect((await read(rich.bytes())).fidelity).toEqual({ nanoseconds: true, xattrs: true });
  });
});

describe('hard links with a size', () => {
  const links = (data: string): HandMadeTar =>
    archive().member('a', { data: 'abc' }).member('b', { type: '1', link: 'a', size: '00000000003\0', data });

  test('and no data: what old archivers wrote', async () => {
    const tree = await read(links('').member('c').bytes());
    expect(tree.get('b')).toBe(tree.get('a'));
    expect(tree.get('c')?.type).toBe('file');
  });

  test('and data', async () => {
    const tree = await read(links('abc').member('c').bytes());
    expect(tree.get('b')).toBe(tree.get('a'));
    expect(tree.get('c')?.type).toBe('file');
  });

  test('and data that looks like a member, in a PAX archive', async () => {
    const smuggled = archive().member('evil').unended().toString('latin1');
    const tree = await read(
      archive()
        .pax({ mtime: '1' })
        .member('a', { data: smuggled })
        .member('b', { type: '1', link: 'a', data: smuggled })
        .bytes(),
    );
    expect(tree.get('b')).toBe(tree.get('a'));
    expect(tree.get('evil')).toBeUndefined();
  });
});

describe('members in the place of others', () => {
  test('a file never removes what is in a directory', async () => {
    const hostile = archive().member('d/a').member('d', { type: '2', link: '/etc' });
    await expect(read(hostile.bytes())).rejects.toThrowError(/in the place of a directory that is not empty/);
  });

  test('an empty directory, a link and a file give way', async () => {
    const tree = await read(
      archive()
        .member('d', { type: '5' })
        .member('d', { type: '2', link: 'x' })
        .member('d', { type: '5' })
        .member('d/a')
        .member('d/a', { type: '6' })
        .bytes(),
    );
    expect(tree.get('d/a')?.type).toBe('fifo');
  });

  test('a member without a name', async () => {
    await expect(read(archive().member('', { type: '5' }).bytes())).rejects.toThrowError(/without a name/);
  });
});

describe('sparse members', () => {
  const oldSparse = (entries: readonly (readonly [number, number])[], realSize: string, data: string) => {
    const at: Record<number, string> = { 483: realSize };
    for (const [index, numbers] of entries.entries()) {
      at[386 + index * 24] = numbers.map((number) => `${number.toString(8).padStart(11, '0')}\0`).join('');
    }
    return archive().member('a', { type: 'S', magic: 'ustar  \0', at, data }).bytes();
  };

  test('a map of the old form', async () => {
    const data = `${'x'.repeat(512)}yyy`;
    const entries = [
      [1024, 512],
      [4096, 3],
      [5000, 0],
    ] as const;
    const text = textOf((await read(oldSparse(entries, '00000011610\0', data))).get('a'));
    expect(text).toBe(`${'\0'.repeat(1024)}${'x'.repeat(512)}${'\0'.repeat(2560)}yyy`.padEnd(5000, '\0'));
  });

  test.each([
    ['a real size below zero', oldSparse([], '\xff'.repeat(12), ''), /its real size is no number/],
    ['data that no part needs', oldSparse([[0, 512]], '00000010000\0', 'x'.repeat(600)), /needs 512 bytes/],
    [
      'a part whose end readers see in different places',
      oldSparse(
        [
          [0, 100],
          [1000, 100],
        ],
        '00000010000\0',
        'x'.repeat(200),
      ),
      /ends inside a record/,
    ],
    [
      'a map of millions of parts',
      archive()
        .pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '0' })
        .member('a', { data: `2000000\n${'0\n0\n'.repeat(2_000_000)}` })
        .bytes(),
      /more than 1048576 parts/,
    ],
  ])('%s', async (_name, bytes, message) => {
    await expect(read(bytes)).rejects.toThrowError(message);
  });
});
