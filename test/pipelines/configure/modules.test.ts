import { describe, expect, test } from 'vitest';
import type { SymlinkNode } from '../../../images/tree/node.js';
import { FULL_FIDELITY, Tree } from '../../../images/tree/tree.js';
import { installModules, subtreeOf } from '../../../pipelines/configure/modules.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';
import { contentOf, EPOCH, faultOf, NOW, shortly } from './edit.js';

function link(target: string): SymlinkNode {
  return { ...plain, mode: 0o777, type: 'symlink', target };
}

const options = { epoch: EPOCH, fromHost: false };

const modules = treeWith(
  {
    '/2.4.16-21um/modules.dep': text('deps'),
    '/2.4.16-21um/kernel/fs/gfs.o': text('gfs', { uid: 1000, mode: 0o640 }),
    '/2.4.16-21um/build': link('/usr/src/linux'),
    '/2.4.16-21um/empty': 'directory',
    '/default': link('2.4.16-21um'),
  },
  { '/2.4.16-21um/kernel/fs/same.o': '/2.4.16-21um/kernel/fs/gfs.o' },
);

describe('kernel modules', () => {
  test('are laid over /lib/modules: a version of both is replaced wholly, others stay', async () => {
    const base = treeWith({
      '/lib/modules/2.4.16-21um/stale.o': text('stale'),
      '/lib/modules/2.4.7-10/modules.dep': text('of the base'),
      '/lib/libc.so': text('libc'),
    });
    const { tree, report } = installModules(base, modules, options);
    expect(shortly(report)).toEqual([
      'replaced: /lib/modules/2.4.16-21um version',
      'added: /lib/modules/default symbolic link',
    ]);
    expect(tree.get('/lib/modules/2.4.16-21um/stale.o')).toBeUndefined();
    expect(tree.get('/lib/modules/2.4.7-10')).toBe(base.get('/lib/modules/2.4.7-10'));
    expect(tree.get('/lib/modules')?.mtime).toEqual(NOW);
    const installed = subtreeOf(tree, '/lib/modules/2.4.16-21um');
    expect(await differencesOf(subtreeOf(modules, '2.4.16-21um'), installed)).toEqual([]);
    const again = installModules(tree, modules, options);
    expect(await differencesOf(tree, again.tree)).toEqual([]);
  });

  test("out of the root's own folder change nothing, not even a time", async () => {
    const base = treeWith({ '/lib/modules/5/a.ko': text('a'), '/lib/modules/README': text('read me') });
    const { tree, report } = installModules(base, subtreeOf(base, '/lib/modules'), options);
    expect(shortly(report)).toEqual([
      'already done: /lib/modules/5 version',
      'already done: /lib/modules/README file',
    ]);
    expect(await differencesOf(base, tree)).toEqual([]);
  });

  test("from the host become root's and get the time of the build, hard links stay", () => {
    const { tree } = installModules(treeWith({}), modules, { ...options, fromHost: true });
    const gfs = tree.get('/lib/modules/2.4.16-21um/kernel/fs/gfs.o');
    expect(gfs).toMatchObject({ uid: 0, gid: 0, mode: 0o640, mtime: NOW });
    expect(tree.get('/lib/modules/2.4.16-21um/kernel/fs/same.o')).toBe(gfs);
    for (const { node } of subtreeOf(tree, '/lib').entries())
      expect(node).toMatchObject({ uid: 0, mtime: NOW });
    expect(tree.get('/lib')).toMatchObject({ mode: 0o755 });
  });

  test('land where /lib leads to', () => {
    const base = treeWith({ '/lib': link('usr/lib'), '/usr/lib': 'directory' });
    const { tree, report } = installModules(base, modules, options);
    expect(report[0]?.path).toBe('/usr/lib/modules/2.4.16-21um');
    expect(contentOf(tree, '/usr/lib/modules/2.4.16-21um/modules.dep')).toBe('deps');
  });

  test.each(['a.o', 'a.ko', 'a.ko.xz', 'a.ko.gz', 'a.ko.zst'])('are known by %s', (name) => {
    const { tree } = installModules(treeWith({}), treeWith({ [`/5/deep/${name}`]: text('') }), options);
    expect(tree.get(`/lib/modules/5/deep/${name}`)).toBeDefined();
  });

  test('that are not there are a clear error, with what was probably meant', () => {
    const message = (tree: Tree) => faultOf(() => installModules(treeWith({}), tree, options)).message;
    expect(message(treeWith({}))).toContain(
      'no kernel version with modules in the folder for /lib/modules (it is empty)',
    );
    expect(message(treeWith({ '/doc/readme.txt': text('') }))).toContain('in it: doc');
    expect(message(treeWith({ '/2.4/source': link('x.o'), '/x.o': text('') }))).toContain(
      'whose subfolders are kernel versions',
    );
    expect(message(subtreeOf(modules, '/2.4.16-21um/kernel'))).toContain('no kernel version');
    const root = installModules(treeWith({}), modules, options).tree;
    expect(message(treeWith({ '/lib/modules': 'directory' }))).toContain('It has a folder lib/modules');
    expect(message(root)).toContain('It has a folder lib/modules');
    expect(message(subtreeOf(root, '/lib'))).toContain('It has a folder modules');
    expect(message(subtreeOf(modules, '/2.4.16-21um'))).toContain('the folder of one version');
  });

  test('can not be installed where something is in the way', () => {
    const message = (base: Tree) => faultOf(() => installModules(base, modules, options)).message;
    expect(message(treeWith({ '/lib/modules': text('') }))).toContain('a file is there');
    expect(message(treeWith({ '/lib': text('') }))).toContain('/lib is not a directory');
    expect(message(treeWith({ '/lib': link('gone') }))).toContain('leads to something that is not there');
  });

  test('keep no more than both Trees keep', () => {
    const base = new Tree(treeWith({}).root, { ...FULL_FIDELITY, nanoseconds: false });
    expect(installModules(base, modules, options).tree.fidelity).toEqual({
      nanoseconds: false,
      xattrs: true,
    });
  });
});

describe('a folder of a Tree', () => {
  test('is found through symbolic links, inside the Tree', () => {
    const tree = treeWith({
      '/lib': link('/usr/lib'),
      '/usr/lib/modules': link('../../../../m'),
      '/m/5/x.ko': text('x'),
    });
    expect(contentOf(subtreeOf(tree, '/lib/modules'), '/5/x.ko')).toBe('x');
    const message = (path: string) => faultOf(() => subtreeOf(tree, path)).message;
    expect(message('/lib/nothing')).toContain('/lib/nothing: error: no such folder');
    expect(message('/m/5/x.ko')).toContain('a file, and a folder is needed');
    expect(message('/m/5/x.ko/y')).toContain('/m/5/x.ko is not a directory');
  });
});
