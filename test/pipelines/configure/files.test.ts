import { describe, expect, test } from 'vitest';
import type { SymlinkNode, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import type { FileSettings } from '../../../pipelines/recipe/recipe.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';
import { configure, contentOf, type Edited, faultOf, NOW, shortly } from './edit.js';

function link(target: string): SymlinkNode {
  return { ...plain, mode: 0o777, type: 'symlink', target };
}

const owner = { uid: 0, gid: 0, at: ['configure', 'files', 0] };

function content(to: string, words: string, more: Partial<FileSettings> = {}): FileSettings {
  return { ...owner, to, content: words, ...more } as FileSettings;
}

function from(to: string, more: Partial<FileSettings> = {}): FileSettings {
  return {
    ...owner,
    to,
    source: { location: '/host/it', mirrors: [], at: owner.at },
    ...more,
  } as FileSettings;
}

function add(base: Tree, file: FileSettings, source?: TreeNode): Edited {
  return configure(
    base,
    { files: [file] },
    { sources: new Map(source === undefined ? [] : [['/host/it', source]]) },
  );
}

describe('files of the recipe', () => {
  test('from a text are of root, 0644, and have their parents made', () => {
    const { tree, report } = add(treeWith({}), content('/etc/ssi/motd', 'grüß\n'));
    expect(contentOf(tree, '/etc/ssi/motd')).toBe('gr\xc3\xbc\xc3\x9f\n');
    expect(tree.get('/etc/ssi/motd')).toMatchObject({ mode: 0o644, uid: 0, gid: 0, mtime: NOW, size: 7 });
    for (const path of ['/etc', '/etc/ssi']) {
      expect(tree.get(path)).toMatchObject({ type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: NOW });
    }
    expect(shortly(report)).toEqual(['added: /etc/ssi/motd']);
  });

  test('have the mode and owner that are given', () => {
    const more = { mode: 0o4711, uid: 12, gid: 4_294_967_294 };
    const { tree } = add(treeWith({}), content('/x', 'x', more));
    expect(tree.get('/x')).toMatchObject(more);
    const copied = add(treeWith({}), from('/x', more), text('y', { mode: 0o600 }));
    expect(copied.tree.get('/x')).toMatchObject({ ...more, size: 1 });
  });

  test('from the host have neither its owner nor its time, but its mode', () => {
    const source = text('program', { mode: 0o755, uid: 1000, gid: 1000 });
    const { tree } = add(treeWith({ '/bin': 'directory' }), from('/bin/it'), source);
    expect(tree.get('/bin/it')).toMatchObject({ mode: 0o755, uid: 0, gid: 0, mtime: NOW });
    expect(contentOf(tree, '/bin/it')).toBe('program');
  });

  test('replace a file under its one name, and a link instead of what it leads to', () => {
    const base = treeWith(
      { '/bin/busybox': text('all'), '/bin/ls': link('busybox'), '/a': text('old') },
      { '/b': '/a' },
    );
    const first = add(base, content('/bin/ls', 'own'));
    expect(shortly(first.report)).toEqual(['replaced: /bin/ls']);
    expect(contentOf(first.tree, '/bin/ls')).toBe('own');
    expect(contentOf(first.tree, '/bin/busybox')).toBe('all');
    const second = add(base, content('/a', 'new'));
    expect([contentOf(second.tree, '/a'), contentOf(second.tree, '/b')]).toEqual(['new', 'old']);
  });

  test('of a directory keep links, hard links and devices, and land where /lib leads to', async () => {
    const directory = treeWith(
      {
        '/one': text('1', { mode: 0o600, uid: 77 }),
        '/empty': 'directory',
        '/deep/link': link('/outside'),
        '/deep/device': { ...plain, type: 'character', major: 1, minor: 3 },
        '/deep/fifo': { ...plain, type: 'fifo' },
      },
      { '/deep/two': '/one' },
    );
    const base = treeWith({ '/lib': link('usr/lib'), '/usr/lib': 'directory' });
    const { tree, report } = add(base, from('/lib/demo/it', { uid: 3, gid: 4 }), directory.root);
    expect(shortly(report)).toEqual(['added: /usr/lib/demo/it 8 entries']);
    expect(tree.get('/lib')).toBe(base.get('/lib'));
    expect(tree.get('/usr/lib/demo')).toMatchObject({ uid: 0, gid: 0, mode: 0o755, mtime: NOW });
    const laid = tree.get('/usr/lib/demo/it');
    expect(laid).toMatchObject({ uid: 3, gid: 4, mode: 0o755, mtime: NOW });
    expect(tree.get('/usr/lib/demo/it/one')).toBe(tree.get('/usr/lib/demo/it/deep/two'));
    expect(tree.get('/usr/lib/demo/it/one')).toMatchObject({ mode: 0o600, uid: 3, mtime: NOW });
    expect(tree.get('/usr/lib/demo/it/deep/link')).toMatchObject({ target: '/outside', uid: 3 });
    expect(tree.get('/usr/lib/demo/it/deep/device')).toMatchObject({ major: 1, minor: 3, gid: 4 });
    const again = add(tree, from('/lib/demo/it', { uid: 3, gid: 4 }), directory.root);
    expect(await differencesOf(tree, again.tree)).toEqual([]);
  });

  test('of a directory are laid over one that is there, which keeps its attributes', () => {
    const base = treeWith({
      '/etc': { ...plain, type: 'directory', mode: 0o711, uid: 9, entries: new Map() },
      '/etc/kept': text('kept'),
      '/etc/replaced': text('old'),
      '/etc/init.d': link('rc.d/init.d'),
      '/etc/rc.d/init.d/network': text('network'),
      '/etc/untouched': 'directory',
    });
    const directory = treeWith({
      '/replaced': text('new'),
      '/init.d/ssi': text('ssi'),
      '/untouched': 'directory',
    });
    const { tree, report } = add(base, from('/etc'), directory.root);
    expect(shortly(report)).toEqual(['merged: /etc 2 entries']);
    expect(tree.get('/etc')).toMatchObject({ mode: 0o711, uid: 9, mtime: NOW });
    expect(contentOf(tree, '/etc/kept')).toBe('kept');
    expect(contentOf(tree, '/etc/replaced')).toBe('new');
    expect(contentOf(tree, '/etc/rc.d/init.d/ssi')).toBe('ssi');
    expect(tree.get('/etc/init.d')).toBe(base.get('/etc/init.d'));
    expect(tree.get('/etc/untouched')).toBe(base.get('/etc/untouched'));
    const root = add(base, from('/'), directory.root);
    expect(contentOf(root.tree, '/replaced')).toBe('new');
    expect(root.tree.get('/')?.mode).toBe(0o755);
  });

  test('can be laid into what was removed just before', () => {
    const base = treeWith({ '/root/dbdemo': text('a file') });
    const { tree } = configure(
      base,
      { remove: ['/root/dbdemo'], files: [from('/root/dbdemo')] },
      { sources: new Map([['/host/it', treeWith({ '/alphabet': text('abc') }).root]]) },
    );
    expect(contentOf(tree, '/root/dbdemo/alphabet')).toBe('abc');
  });

  test('that can not be added say why', () => {
    const base = treeWith({
      '/dir/x': text(''),
      '/file': text(''),
      '/loop': link('/loop'),
      '/away': link('/nowhere'),
    });
    const directory = treeWith({ '/x/y': text('') }).root;
    const message = (file: FileSettings, source?: TreeNode) => faultOf(() => add(base, file, source)).message;
    expect(message(content('/dir', ''))).toContain("/dir: error: this can't be added: a directory is there");
    expect(message(content('/', ''))).toContain('a directory is there');
    expect(message(content('/file/x', ''))).toContain('/file is not a directory');
    expect(message(content('/away/x', ''))).toContain(
      'the symbolic link /away leads to something that is not there',
    );
    expect(message(content('/loop/x', ''))).toContain('40 symbolic links');
    expect(message(from('/file'), directory)).toContain(
      'a file is there, and what is to be added is a directory',
    );
    expect(message(from('/dir'), directory)).toContain('/dir/x: error');
    expect(message(from('/away'), directory)).toContain('leads to something that is not there');
    expect(message(from('/new', { mode: 0o755 }), directory)).toContain('a mode is for one file');
    expect(message(from('/new'))).toContain('configure.files.0: /host/it has not been read');
    for (const to of ['etc/x', '/a/../b', `/${'n'.repeat(300)}`, '/\0', `/${'a/'.repeat(20_000)}`]) {
      expect(message(content(to, ''))).toContain('configure.files.0');
    }
    const deep = treeWith({ '/dir/sub': text('') }).root;
    expect(message(from('/'), treeWith({ '/file/x': text('') }).root)).toContain('/file: error');
    expect(shortly(add(base, from('/'), deep).report)).toEqual(['merged: / 1 entries']);
  });
});
