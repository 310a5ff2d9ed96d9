import { describe, expect, test } from 'vitest';
import type { DeviceNode, SymlinkNode } from '../../../images/tree/node.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';
import { configure, EPOCH, faultOf, NOW, shortly } from './edit.js';

function block(major: number, minor: number, more: Partial<DeviceNode> = {}): DeviceNode {
  return { ...plain, mode: 0o600, uid: 7, gid: 8, type: 'block', major, minor, ...more };
}

function link(target: string): SymlinkNode {
  return { ...plain, mode: 0o777, type: 'symlink', target };
}

const group = text('root:x:0:\nbin:x:1:root\ndisk:x:6:root,adm\n');

describe('ubd devices', () => {
  for (const minorStep of [1, 16] as const) {
    test(`are made where none are, ${minorStep} apart`, () => {
      const base = treeWith({ '/etc/group': group, '/dev': 'directory' });
      const { tree, report } = configure(base, { ubd: { devices: 3, minorStep } });
      for (const number of [0, 1, 2]) {
        expect(tree.get(`/dev/ubd/${number}`)).toEqual({
          type: 'block',
          major: 98,
          minor: number * minorStep,
          mode: 0o660,
          uid: 0,
          gid: 6,
          mtime: NOW,
        });
      }
      expect(tree.get('/dev/ubd')).toMatchObject({
        type: 'directory',
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: NOW,
      });
      expect(tree.get('/dev')?.mtime).toEqual(NOW);
      expect(tree.get('/')?.mtime).toEqual(plain.mtime);
      expect(shortly(report)).toEqual([
        'added: /dev/ubd',
        'added: /dev/ubd/0 block 98,0',
        `added: /dev/ubd/1 block 98,${minorStep}`,
        `added: /dev/ubd/2 block 98,${2 * minorStep}`,
      ]);
      expect(base.get('/dev/ubd')).toBeUndefined();
    });
  }

  test('of the other numbering get new numbers and keep owner and mode, those beyond the number too', async () => {
    const base = treeWith({
      '/dev/ubd/0': block(98, 0),
      '/dev/ubd/1': block(98, 1),
      '/dev/ubd/5': block(98, 5),
      '/dev/ubd/6': block(8, 6),
      '/dev/ubd/disc0': 'directory',
    });
    const { tree, report } = configure(base, { ubd: { devices: 3, minorStep: 16 } });
    expect(tree.get('/dev/ubd/0')).toBe(base.get('/dev/ubd/0'));
    expect(tree.get('/dev/ubd/1')).toEqual(block(98, 16, { mtime: NOW }));
    expect(tree.get('/dev/ubd/2')).toMatchObject({ minor: 32, uid: 0, gid: 0, mode: 0o660 });
    expect(tree.get('/dev/ubd/5')).toEqual(block(98, 80, { mtime: NOW }));
    expect(tree.get('/dev/ubd/6')).toBe(base.get('/dev/ubd/6'));
    expect(tree.get('/dev/ubd/disc0')?.type).toBe('directory');
    expect(shortly(report)).toEqual([
      'already done: /dev/ubd/0 block 98,0',
      'replaced: /dev/ubd/1 block 98,16, was block 98,1',
      'added: /dev/ubd/2 block 98,32',
      'replaced: /dev/ubd/5 block 98,80, was block 98,5',
    ]);
    const again = configure(tree, { ubd: { devices: 3, minorStep: 16 } });
    expect(await differencesOf(tree, again.tree)).toEqual([]);
    expect(new Set(again.report.map(({ outcome }) => outcome))).toEqual(new Set(['already done']));
    const back = configure(tree, { ubd: { devices: 3, minorStep: 1 } });
    expect(back.tree.get('/dev/ubd/5')).toMatchObject({ major: 98, minor: 5 });
  });

  test('with flat names are remade where they exist, partitions and other devices are left', () => {
    const base = treeWith({
      '/dev/ubd0': block(98, 0),
      '/dev/ubd3': block(98, 3),
      '/dev/ubdb': block(98, 1),
      '/dev/ubdb1': block(98, 17),
      '/dev/ubd4': link('ubd/4'),
      '/dev/hda': block(3, 0),
    });
    const { tree } = configure(base, { ubd: { devices: 1, minorStep: 16 } });
    expect(tree.get('/dev/ubd3')).toMatchObject({ major: 98, minor: 48 });
    expect(tree.get('/dev/ubdb')).toMatchObject({ major: 98, minor: 16 });
    for (const path of ['/dev/ubdb1', '/dev/ubd4', '/dev/hda']) expect(tree.get(path)).toBe(base.get(path));
    expect(tree.get('/dev/ubd/0')).toMatchObject({ major: 98, minor: 0 });
    expect(tree.get('/dev/ubd5')).toBeUndefined();
  });

  test('replace a link or a character device of the name, and follow a link to their folder', () => {
    const base = treeWith({
      '/dev': link('system/dev'),
      '/system/dev/ubd/0': link('../gone'),
      '/system/dev/ubd/1': { ...block(98, 16), type: 'character' },
    });
    const { tree, report } = configure(base, { ubd: { devices: 2, minorStep: 16 } });
    expect(tree.get('/system/dev/ubd/0')).toMatchObject({ type: 'block', major: 98, minor: 0, mode: 0o660 });
    expect(tree.get('/system/dev/ubd/1')).toMatchObject({ type: 'block', major: 98, minor: 16, uid: 7 });
    expect(shortly(report)).toEqual([
      'replaced: /system/dev/ubd/0 block 98,0',
      'replaced: /system/dev/ubd/1 block 98,16, was character 98,16',
    ]);
  });

  test('say what is in their way', () => {
    const ubd = { devices: 2, minorStep: 16 } as const;
    const message = (path: string, node: ReturnType<typeof text> | DeviceNode | SymlinkNode | 'directory') =>
      faultOf(() => configure(treeWith({ [path]: node }), { ubd })).message;
    expect(message('/dev/ubd', text(''))).toContain(
      "/dev/ubd: error: the ubd devices can't be made: it is a file",
    );
    expect(message('/dev/ubd', block(98, 0))).toContain('it is a block device');
    expect(message('/dev', text(''))).toContain('/dev is not a directory');
    expect(message('/dev', link('nowhere'))).toContain(
      'the symbolic link /dev leads to something that is not there',
    );
    expect(message('/dev/ubd/1', text(''))).toContain('/dev/ubd/1: error');
    expect(message('/dev/ubd/1', 'directory')).toContain('it is a directory and no device');
    expect(message('/dev', link('/dev'))).toContain('more than 40 symbolic links');
    const many = faultOf(() => configure(treeWith({}), { ubd: { devices: 70_000, minorStep: 16 } }));
    expect(many.message).toContain('configure.ubd.devices: 70000 devices');
  });

  test('can be remade after what is in the way was removed', () => {
    const base = treeWith({ '/dev/ubd': text('') });
    const { tree } = configure(base, { remove: ['/dev/ubd'], ubd: { devices: 1, minorStep: 1 } });
    expect(tree.get('/dev/ubd/0')).toMatchObject({ type: 'block', mtime: { seconds: EPOCH } });
  });

  test('belong to root where /etc/group is odd', () => {
    for (const odd of [text('disk:x:99999999999:\n'), text('disks:x:6:\n'), 'directory' as const]) {
      const { tree } = configure(treeWith({ '/etc/group': odd }), { ubd: { devices: 1, minorStep: 16 } });
      expect(tree.get('/dev/ubd/0')?.gid).toBe(0);
    }
  });
});
