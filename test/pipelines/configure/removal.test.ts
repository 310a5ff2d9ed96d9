import { describe, expect, test } from 'vitest';
import type { SymlinkNode } from '../../../images/tree/node.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';
import { configure, faultOf, NOW, shortly } from './edit.js';

function link(target: string): SymlinkNode {
  return { ...plain, mode: 0o777, type: 'symlink', target };
}

/** Red Hat's layout: the runlevel directories are also reached through links in /etc. */
const redhat = treeWith({
  '/etc/rc.d/init.d/netfs': text('netfs'),
  '/etc/rc.d/rc3.d/S25netfs': link('../init.d/netfs'),
  '/etc/rc.d/rc3.d/S55sshd': link('../init.d/gone'),
  '/etc/rc.d/rc3.d/S99local': text('a script'),
  '/etc/rc.d/rc3.d/K01dir': 'directory',
  '/etc/rc3.d': link('rc.d/rc3.d'),
});

describe('start links of services', () => {
  test('go, what they lead to stays, and each that is not there is reported', async () => {
    const removeServices = [
      'rc3.d/S25netfs',
      'rc3.d/S50snmpd',
      'rc3.d/S55sshd',
      'rc3.d/S99local',
      'rc9.d/S1x',
    ];
    const { tree, report } = configure(redhat, { removeServices });
    expect(shortly(report)).toEqual([
      'removed: /etc/rc.d/rc3.d/S25netfs',
      'not there: /etc/rc.d/rc3.d/S50snmpd',
      'removed: /etc/rc.d/rc3.d/S55sshd',
      'removed: /etc/rc.d/rc3.d/S99local',
      'not there: /etc/rc.d/rc9.d/S1x',
    ]);
    expect((await differencesOf(redhat, tree)).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'changed /etc/rc.d/rc3.d',
      'removed /etc/rc.d/rc3.d/S25netfs',
      'removed /etc/rc.d/rc3.d/S55sshd',
      'removed /etc/rc.d/rc3.d/S99local',
    ]);
    expect(tree.get('/etc/rc.d/rc3.d')?.mtime).toEqual(NOW);
    // What no edit touched is not copied.
    expect(tree.get('/etc/rc.d/init.d')).toBe(redhat.get('/etc/rc.d/init.d'));
    expect(redhat.get('/etc/rc.d/rc3.d/S25netfs')).toBeDefined();
  });

  test('are found through a runlevel directory that is a link', () => {
    const { tree, report } = configure(redhat, { rcDirectory: '/etc', removeServices: ['rc3.d/S25netfs'] });
    expect(shortly(report)).toEqual(['removed: /etc/rc.d/rc3.d/S25netfs']);
    expect(tree.get('/etc/rc.d/rc3.d/S25netfs')).toBeUndefined();
    expect(tree.get('/etc/rc3.d')).toBe(redhat.get('/etc/rc3.d'));
  });

  test('are no directories, and their paths lead nowhere else', () => {
    const message = (name: string) => faultOf(() => configure(redhat, { removeServices: [name] })).message;
    expect(message('rc3.d/K01dir')).toContain('/etc/rc.d/rc3.d/K01dir: error: this is a directory');
    expect(message('rc3.d')).toContain('this is a directory');
    expect(message('../../etc/passwd')).toContain('configure.removeServices.0: "/etc/rc.d/../../etc/passwd"');
    expect(message('/etc/rc3.d/S25netfs')).toContain('not relative to /etc/rc.d');
    expect(message('a\0b')).toContain('NUL');
  });
});

describe('paths to remove', () => {
  test('go with everything below them, of a link only the link', () => {
    const base = treeWith(
      { '/usr/doc/a/b': text(''), '/doc': link('usr/doc'), '/x': text('') },
      { '/y': '/x' },
    );
    const { tree, report } = configure(base, {
      remove: ['/doc', '/usr/doc/a/', '/x', '/z', '/y/below', '/doc/a'],
    });
    expect(shortly(report)).toEqual([
      'removed: /doc',
      'removed: /usr/doc/a',
      'removed: /x',
      'not there: /z',
      'not there: /y/below',
      'not there: /doc/a',
    ]);
    expect([...tree.entries()].map(({ path }) => path)).toEqual(['/', '/usr', '/usr/doc', '/y']);
    expect(tree.get('/')?.mtime).toEqual(NOW);
    expect(tree.get('/usr/doc')?.mtime).toEqual(NOW);
    expect(tree.get('/usr')?.mtime).toEqual(base.get('/usr')?.mtime);
  });

  test('are never the root, nor anything that is not written out', () => {
    for (const path of ['/', '//', '/.', '/usr/..', '/..', 'usr', '', `/${'n'.repeat(256)}`, '/a\0']) {
      expect(faultOf(() => configure(redhat, { remove: [path] })).message).toContain('configure.remove.0');
    }
  });

  test('that are wrong are all told at once, with the faults of other steps', () => {
    const error = faultOf(() =>
      configure(redhat, {
        remove: ['/'],
        removeServices: ['rc3.d'],
        inittab: { source: '/etc/inittab.ssi', dhcpd: false, getty: 'tty0' },
      }),
    );
    expect(error.diagnostics).toHaveLength(3);
  });

  test('cost no more than the way to them, however deep the root is', () => {
    const names = 'd/'.repeat(8000);
    const base = treeWith({ [`/${names}x`]: text('') });
    const { tree } = configure(base, { remove: [`/${names}x`] });
    expect(tree.get(`/${names}x`)).toBeUndefined();
    expect(base.get(`/${names}x`)).toBeDefined();
  });
});
