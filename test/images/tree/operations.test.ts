import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { bytesOf } from '../../../images/bytes/byte-string.js';
import { Pace } from '../../../images/bytes/pace.js';
import { escapedName, listingLine, listingObject, treeDigest } from '../../../images/tree/listing.js';
import { lookUp } from '../../../images/tree/lookup.js';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import { overlay } from '../../../images/tree/overlay.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { TreeFilesystem } from '../../../images/tree/tree-filesystem.js';
import { deepTree, plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();
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

  test('hard links of the upper tree stay together, also over those of the base', () => {
    const upper = treeWith({ 'usr/y': text('new') }, { 'etc/linked': 'usr/y', 'usr/z': 'usr/y' });
    const result = overlay(base, upper);
    expect(result.get('usr/y')).toBe(result.get('etc/linked'));
    expect(result.get('usr/y')).toBe(result.get('usr/z'));
    expect(result.get('usr/x')).not.toBe(result.get('usr/y'));
  });

  test('markers in directories that only the upper tree has are no files', () => {
    const result = overlay(
      base,
      treeWith({ 'n/.wh.a': text(''), 'n/m/.wh..wh..opq': text(''), 'n/m/x': whiteout }),
    );
    expect(paths(result).filter((path) => path.startsWith('/n'))).toEqual(['/n', '/n/m']);
  });

  test('neither tree changes, nor when the result is edited', () => {
    const upper = treeWith({ 'etc/sub/.wh.c': text(''), 'etc/d': text('d') });
    const before = [paths(base), paths(upper)];
    const builder = TreeBuilder.from(overlay(base, upper));
    builder.put('usr/new', text('n'));
    builder.remove('etc');
    expect([paths(base), paths(upper)]).toEqual(before);
  });

  test('deep trees take no long time', () => {
    const deep = deepTree(16_000);
    expect([...overlay(deep, deep).nodes()].length).toBe(16_001);
  }, 5000);

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

  testWith(['ls'], 'names for a terminal are as ls -b has them, but for blanks', () => {
    const here = join(folder, 'names');
    mkdirSync(here);
    const parts = [
      'a',
      '\\',
      '\xc3\xa9',
      '\xc2\x85',
      '\x85',
      '\xff',
      '\xe2\x80\xa8',
      '\xed\xb3\xbf',
      '\xf0\x9f\x90\xa7',
    ];
    const controls = Array.from({ length: 31 }, (_, index) => String.fromCharCode(index + 1));
    const names = [...parts, ...controls, '\x7f', parts.join(''), controls.join('x'), '\xc3', 'a\xc3a'];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${here}/`), bytesOf(name)]), '');
    const listed = run('ls', ['-b', '--sort=none', '-f', '--', here], { env: { LC_ALL: 'C.UTF-8' } });
    const escaped = names.map(escapedName);
    expect(
      listed
        .trim()
        .split('\n')
        .filter((name) => name !== '.' && name !== '..')
        .sort(),
    ).toEqual(escaped.sort());
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
