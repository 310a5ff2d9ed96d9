import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { imageError } from '../../../images/diagnostic.js';
import { extractTree } from '../../../images/tree/extract.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { escapedName, listingLine, listingObject, treeDigest } from '../../../images/tree/listing.js';
import { lookUp } from '../../../images/tree/lookup.js';
import type { Attributes, FileNode, TreeNode } from '../../../images/tree/node.js';
import { overlay } from '../../../images/tree/overlay.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { TreeFilesystem } from '../../../images/tree/tree-filesystem.js';
import { temporaryFolder } from '../../support/temporary.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();
const plain: Attributes = {
  mode: 0o644,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtime: { seconds: 1_000_000_000, nanoseconds: 500 },
};

function text(content: string, attributes: Partial<Attributes> = {}): FileNode {
  const bytes = Buffer.from(content);
  return { ...plain, ...attributes, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } };
}

function treeWith(
  entries: Readonly<Record<string, TreeNode | 'directory'>>,
  links: Readonly<Record<string, string>> = {},
): Tree {
  const builder = new TreeBuilder({ ...plain, mode: 0o755 });
  for (const [path, node] of Object.entries(entries)) {
    if (node === 'directory') builder.directory(path, { ...plain, mode: 0o755 });
    else if (node.type === 'directory') builder.directory(path, node);
    else builder.put(path, node);
  }
  for (const [path, existing] of Object.entries(links)) builder.link(path, existing);
  return builder.build();
}

const paths = (tree: Tree): string[] => [...tree.entries()].map(({ path }) => path);
const whiteout: TreeNode = { ...plain, type: 'character', major: 0, minor: 0 };

describe('overlay', () => {
  const base = treeWith(
    { 'etc/a': text('a'), 'etc/b': text('b'), 'etc/sub/c': text('c'), 'usr/x': text('x') },
    { 'usr/y': 'usr/x', 'usr/z': 'usr/x' },
  );

  test('upper files win, directories merge with the attributes of the upper one', () => {
    const upper = treeWith({
      etc: { ...plain, mode: 0o700, type: 'directory', entries: new Map() },
      'etc/a': text('new'),
      'etc/d': text('d'),
    });
    const result = overlay(base, upper);
    expect(paths(result)).toEqual([
      '/',
      '/etc',
      '/etc/a',
      '/etc/b',
      '/etc/d',
      '/etc/sub',
      '/etc/sub/c',
      '/usr',
      '/usr/x',
      '/usr/y',
      '/usr/z',
    ]);
    expect(result.get('etc')?.mode).toBe(0o700);
    expect(result.get('etc/a')).toMatchObject({ size: 3 });
    expect(base.get('etc/a')).toMatchObject({ size: 1 });
  });

  test.each([
    ['a device 0,0', { 'etc/a': whiteout }],
    ['a file .wh.NAME', { 'etc/.wh.a': text('') }],
  ])('%s removes what lies below', (_name, entries) => {
    expect(overlay(base, treeWith(entries)).get('etc/a')).toBeUndefined();
    expect(overlay(base, treeWith(entries)).get('etc/b')).toBeDefined();
  });

  test('a whole directory is whited out, and made anew', () => {
    expect(paths(overlay(base, treeWith({ etc: whiteout })))).not.toContain('/etc');
    const again = overlay(base, treeWith({ '.wh.etc': text(''), 'etc/n': text('n') }));
    expect(paths(again).filter((path) => path.startsWith('/etc'))).toEqual(['/etc', '/etc/n']);
  });

  test.each([
    ['by a marker', { 'etc/.wh..wh..opq': text(''), 'etc/n': text('n') }],
    [
      'by an attribute',
      {
        etc: {
          ...plain,
          type: 'directory' as const,
          entries: new Map(),
          xattrs: new Map([['trusted.overlay.opaque', Buffer.from('y')]]),
        },
        'etc/n': text('n'),
      },
    ],
  ])('an opaque directory (%s) shows nothing from below', (_name, entries) => {
    const result = overlay(base, treeWith(entries));
    expect(paths(result).filter((path) => path.startsWith('/etc'))).toEqual(['/etc', '/etc/n']);
    expect(result.get('etc')?.xattrs).toBeUndefined();
  });

  test('markers that would name a directory itself do nothing', () => {
    expect(paths(overlay(base, treeWith({ 'etc/.wh.': text(''), 'etc/.wh..': text('') })))).toEqual(
      paths(base),
    );
  });

  test('hard links stay together when one of them is replaced', () => {
    const result = overlay(base, treeWith({ 'usr/y': text('other') }));
    expect(result.get('usr/x')).toBe(result.get('usr/z'));
    expect(result.get('usr/y')).not.toBe(result.get('usr/x'));
  });

  test('a file replaces a directory, and the other way', () => {
    const result = overlay(base, treeWith({ 'etc/sub': text('flat'), 'usr/x/deep': text('d') }));
    expect(result.get('etc/sub')?.type).toBe('file');
    expect(result.get('usr/x/deep')?.type).toBe('file');
  });
});

describe('listing', () => {
  test('the fields of the contract', () => {
    expect(
      listingObject('/dev/ubd1', { ...plain, mode: 0o4660, type: 'block', major: 98, minor: 16 }, 1),
    ).toEqual({
      path: '/dev/ubd1',
      type: 'block',
      mode: '4660',
      uid: plain.uid,
      gid: plain.gid,
      size: 0,
      mtime: 1_000_000_000,
      mtimeNanoseconds: 500,
      nlink: 1,
      rdev: '98,16',
    });
    expect(listingObject('/l', { ...plain, type: 'symlink', target: 'caf\xc3\xa9\xff' }, 1)).toMatchObject({
      target: 'café\udcff',
      size: 6,
    });
  });

  test('names for a terminal hold no control characters', () => {
    expect(escapedName('a\nb\x1b[31m\\ \xff \xc3\xa9')).toBe('a\\nb\\033[31m\\\\ \\377 é');
  });

  test.each([
    [0o4755, 'file', '-rwsr-xr-x'],
    [0o4644, 'file', '-rwSr--r--'],
    [0o1777, 'directory', 'drwxrwxrwt'],
    [0o2710, 'directory', 'drwx--s---'],
  ] as const)('mode %i of a %s', (mode, type, letters) => {
    const node = type === 'file' ? { ...text('x'), mode } : { ...plain, mode, type };
    expect(listingLine('x', node, 1).slice(0, 10)).toBe(letters);
  });

  test('the digest of a tree depends on what it holds, not on where that lies', async () => {
    const source = new MemorySource(Buffer.from('..hello'));
    const elsewhere: FileNode = {
      ...plain,
      type: 'file',
      size: 5,
      content: { kind: 'extents', source, extents: () => [{ offset: 0, position: 2, length: 5 }] },
    };
    const digest = await treeDigest(treeWith({ a: text('hello') }), pace);
    expect(await treeDigest(treeWith({ a: elsewhere }), pace)).toBe(digest);
    expect(await treeDigest(treeWith({ a: text('hellO') }), pace)).not.toBe(digest);
    expect(await treeDigest(treeWith({ a: text('hello'), b: text('hello') }), pace)).not.toBe(
      await treeDigest(treeWith({ a: text('hello') }, { b: 'a' }), pace),
    );
  });
});

describe('diff', () => {
  const base = treeWith(
    {
      a: text('a'),
      'd/x': text('x'),
      l: { ...plain, type: 'symlink', target: 't' },
      b: { ...plain, type: 'block', major: 8, minor: 1 },
    },
    { a2: 'a' },
  );

  test('equal trees do not differ', async () => {
    expect(await differencesOf(base, TreeBuilder.from(base).build())).toEqual([]);
  });

  test.each([
    ['mode', 'a', { ...text('a'), mode: 0o600 }, { mode: ['0644', '0600'] }],
    ['owner', 'd/x', { ...text('x'), uid: 7 }, { uid: [`${plain.uid}`, '7'] }],
    ['time', 'd/x', text('x', { mtime: { seconds: 5, nanoseconds: 500 } }), { mtime: ['1000000000', '5'] }],
    ['size', 'd/x', text('xx'), { size: ['1', '2'] }],
    ['target', 'l', { ...plain, type: 'symlink' as const, target: 'u' }, { target: ['t', 'u'] }],
    ['device', 'b', { ...plain, type: 'block' as const, major: 8, minor: 2 }, { rdev: ['8,1', '8,2'] }],
    [
      'attribute',
      'd/x',
      text('x', { xattrs: new Map([['user.k', Buffer.from('v')]]) }),
      { 'xattr user.k': ['none', '76'] },
    ],
  ] as const)('%s', async (_name, path, node, fields) => {
    const builder = TreeBuilder.from(base);
    builder.put(path, node);
    const found = (await differencesOf(base, builder.build())).find(
      (difference) => difference.path === `/${path}`,
    );
    expect(found?.fields).toMatchObject(fields);
  });

  test('content of the same size', async () => {
    const builder = TreeBuilder.from(base);
    builder.put('d/x', text('y'));
    expect((await differencesOf(base, builder.build()))[0]?.fields?.sha256?.[0]).toHaveLength(64);
  });

  test('added, removed, another type, other links', async () => {
    const builder = TreeBuilder.from(base);
    builder.remove('d');
    builder.put('n/m', text('m'));
    builder.put('l', text('no link any more'));
    builder.put('a2', text('a'));
    expect((await differencesOf(base, builder.build())).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'changed /a',
      'changed /a2',
      'removed /d',
      'removed /d/x',
      'removed /l',
      'added /l',
      'added /n',
      'added /n/m',
    ]);
  });
});

describe('lookup', () => {
  const link = (target: string): TreeNode => ({ ...plain, type: 'symlink', target });
  const filesystem = new TreeFilesystem(
    treeWith({
      'usr/bin/sh': text('sh'),
      bin: link('usr/bin'),
      'usr/abs': link('/bin/sh'),
      loop: link('loop'),
      up: link('../../../usr'),
    }),
    'tree',
    'tree',
  );
  test.each([
    ['/bin/sh', false, '/usr/bin/sh'],
    ['bin', false, '/bin'],
    ['bin/', false, '/usr/bin'],
    ['/usr/abs', false, '/usr/abs'],
    ['/usr/abs', true, '/usr/bin/sh'],
    ['/up/bin/../bin/./sh', false, '/usr/bin/sh'],
    ['/../..', false, '/'],
  ] as const)('%s', (path, follow, found) => {
    expect(lookUp(filesystem, path, follow).path).toBe(found);
  });
  test.each([
    ['/nothing', /no such file in the image/],
    ['/usr/bin/sh/x', /\/usr\/bin\/sh is not a directory/],
    ['/loop/x', /more than 40 symbolic links/],
  ])('%s is an error', (path, message) => {
    expect(() => lookUp(filesystem, path)).toThrowError(message);
  });
});

describe('extract', () => {
  const big = Buffer.alloc(2_000_000);
  big.fill('x', 1_000_000, 1_004_096);
  const tree = treeWith(
    {
      'd/file': text('content', { mode: 0o640 }),
      'd/empty': text(''),
      sparse: { ...plain, type: 'file', size: big.length, content: { kind: 'inline', bytes: big } },
      out: { ...plain, mode: 0o777, type: 'symlink', target: '/etc' },
      fifo: { ...plain, type: 'fifo' },
      readonly: { ...plain, mode: 0o500, type: 'directory', entries: new Map() },
      'readonly/inside': text('i'),
      '\xff\n': text('raw name'),
    },
    { 'd/linked': 'd/file' },
  );

  test('gives the same tree on the host, and says what it left out', async () => {
    const destination = join(folder, 'out');
    const result = await extractTree(tree.root, destination, {}, pace);
    const differences = await differencesOf(tree, await treeOfDirectory(destination, pace));
    // Node sets times with the precision of a floating-point number.
    expect(
      differences.filter(({ fields }) =>
        Object.keys(fields ?? { x: 0 }).some((name) => name !== 'mtimeNanoseconds'),
      ),
    ).toEqual([{ path: '/fifo', kind: 'removed' }]);
    expect(result.notKept.map(({ path, what }) => [path, what])).toEqual([['/fifo', 'fifo']]);
    expect(statSync(join(destination, 'sparse')).blocks * 512).toBeLessThan(100_000);
    expect(lstatSync(join(destination, 'd/linked')).ino).toBe(lstatSync(join(destination, 'd/file')).ino);
    expect(readlinkSync(join(destination, 'out'))).toBe('/etc');
  });

  test('one file', async () => {
    await extractTree(tree.get('d/file')!, join(folder, 'one'), {}, pace);
    expect(readFileSync(join(folder, 'one'), 'utf8')).toBe('content');
  });

  test('overwrites nothing, follows nothing', async () => {
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full', 'mine'), 'mine');
    symlinkSync(join(folder, 'full'), join(folder, 'link'));
    for (const name of ['full', 'link', 'full/mine']) {
      await expect(extractTree(tree.root, join(folder, name), {}, pace)).rejects.toThrowError(
        /it exists already/,
      );
    }
    await expect(extractTree(tree.get('d/file')!, join(folder, 'link'), {}, pace)).rejects.toThrowError(
      /it exists already/,
    );
    expect(readFileSync(join(folder, 'full', 'mine'), 'utf8')).toBe('mine');
    await expect(extractTree(tree.root, join(folder, 'no', 'such', 'folder'), {}, pace)).rejects.toThrowError(
      /no such file or directory/,
    );
  });

  test('a damaged source leaves nothing behind', async () => {
    const broken: FileNode = {
      ...plain,
      type: 'file',
      size: 10,
      content: {
        kind: 'extents',
        source: new MemorySource(Buffer.alloc(10)),
        extents: () => {
          throw imageError({ file: 'image', block: 7 }, 'damaged');
        },
      },
    };
    await expect(
      extractTree(treeWith({ a: text('a'), z: broken }).root, join(folder, 'broken'), {}, pace),
    ).rejects.toThrowError(/image: block 7: error: damaged/);
    expect(existsSync(join(folder, 'broken'))).toBe(false);
  });
});
