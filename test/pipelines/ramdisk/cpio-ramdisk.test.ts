import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { readContent } from '../../../images/tree/content.js';
import type { Tree } from '../../../images/tree/tree.js';
import { type CpioRamdiskSettings, cpioRamdiskTree } from '../../../pipelines/ramdisk/cpio-ramdisk.js';
import { findModulesFolder } from '../../../pipelines/ramdisk/modules-folder.js';
import {
  DAEMON_APPLETS,
  fenceAgent,
  nodeInit,
  RAMDISK_APPLETS,
} from '../../../pipelines/ramdisk/node-init.js';
import { writeCpioRamdisk } from '../../../pipelines/ramdisk/write-ramdisk.js';
import { text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith, tool } from '../../support/tools.js';
import { clusterRootEntries, namesOfApplets } from './cluster-root.js';

const folder = temporaryFolder();

const settings: CpioRamdiskSettings = {
  epoch: 1_030_000_000,
  modulesFolder: '/usr/lib/uml/modules/6.1.0',
  modules: ['dummy'],
  addresses: ['192.168.50.1', '192.168.50.2'],
  prefix: 24,
  interface: 'eth0',
  lockTable: 'uml:root',
  token: 1000,
  rootDevice: '/dev/ubda',
  ownPaths: ['/var/log'],
};

const busybox = namesOfApplets([...RAMDISK_APPLETS, ...DAEMON_APPLETS]);
const root = treeWith(clusterRootEntries(busybox));

function textAt(tree: Tree, path: string): string {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`${path} is no file`);
  return readContent(node.content, node.size).toString();
}

describe('the ramdisk of a GFS2 cluster', () => {
  test.each([
    ['a log daemon that never lets others run', 'ffd084c0741348b80000000000000000bf64000000ffd0ebcf', 1, 0],
    ['another log daemon', '00', 0, 1],
  ])('has a gfs2 that does not hang, or warns: %s', async (_name, code, changed, warned) => {
    const bytes = Buffer.concat([Buffer.from(code, 'hex'), Buffer.from('\0vermagic=6.1.0 mod_unload \0')]);
    const path = `${settings.modulesFolder}/g/gfs2.ko`;
    const entries = clusterRootEntries(busybox);
    entries[path] = { ...text(''), size: bytes.length, content: { kind: 'inline', bytes } };
    const made = await cpioRamdiskTree(treeWith(entries), settings);
    expect(made.report.changed).toEqual(changed === 1 ? [path] : []);
    expect(made.warnings).toHaveLength(warned);
    const node = made.tree.get('/modules/gfs2.ko');
    if (node?.type !== 'file') throw new Error('no gfs2.ko');
    expect(readContent(node.content, node.size).equals(bytes)).toBe(changed === 0);
    expect(node.size).toBe(bytes.length);
  });

  test('has what /init needs, and the daemons with their libraries in a folder of their own', async () => {
    const { tree, report } = await cpioRamdiskTree(root, settings);
    expect(report).toEqual({
      modules: ['n/dummy.ko', 'c/configfs.ko', 'd/dlm.ko', 'g/gfs2.ko'].map(
        (name) => `${settings.modulesFolder}/${name}`,
      ),
      builtIn: [],
      unlisted: [],
      programs: [
        '/usr/sbin/corosync',
        '/usr/sbin/corosync-quorumtool',
        '/usr/sbin/corosync-cfgtool',
        '/usr/sbin/dlm_controld',
        '/usr/sbin/dlm_tool',
        '/bin/busybox',
      ],
      changed: [],
    });
    expect(tree.get('/init')).toMatchObject({
      type: 'file',
      mode: 0o755,
      uid: 0,
      mtime: { seconds: settings.epoch },
    });
    expect(tree.get('/dev/console')).toMatchObject({ type: 'character', major: 5, minor: 1 });
    expect(tree.get('/bin/sh')).toMatchObject({ type: 'symlink', target: '/bin/busybox' });
    expect(textAt(tree, '/modules/load')).toBe('dummy.ko\nconfigfs.ko\ndlm.ko\ngfs2.ko\n');
    expect(textAt(tree, '/modules/gfs2.ko')).toBe('gfs2');
    expect(textAt(tree, '/etc/nodes')).toBe('1 192.168.50.1 node1\n2 192.168.50.2 node2\n');
    expect(textAt(tree, '/etc/ramdisk.conf')).toBe(
      "interface='eth0'\nnetmask='255.255.255.0'\nroot_device='/dev/ubda'\ncorosync='/usr/sbin/corosync'\n" +
        "dlm_controld='/usr/sbin/dlm_controld'\nlibrary_path=''\n",
    );
    expect(tree.get('/cluster/usr/lib/x86_64-linux-gnu/libqb.so.100')?.type).toBe('file');
    expect(tree.get('/cluster/lib64/ld-linux-x86-64.so.2')?.type).toBe('file');
    expect(tree.get('/cluster/usr/sbin/fence_by_host')).toMatchObject({ mode: 0o755 });
    const corosync = textAt(tree, '/cluster/etc/corosync/corosync.conf');
    expect(corosync).toMatch(/cluster_name: uml\n/);
    expect(corosync).toMatch(/name: node2\n\t\tnodeid: 2\n\t\tring0_addr: 192\.168\.50\.2\n/);
    expect(textAt(tree, '/cluster/etc/dlm/dlm.conf')).toMatch(/fence_all \/usr\/sbin\/fence_by_host\n/);
  });

  test('of the same root is the same file', async () => {
    const paths = ['a', 'b'].map((name) => join(folder, `${name}.cpio.gz`));
    for (const path of paths) {
      const { tree } = await cpioRamdiskTree(treeWith(clusterRootEntries(busybox)), settings);
      const { notKept } = await writeCpioRamdisk(path, tree, { epoch: settings.epoch, pace: new Pace() });
      expect(notKept.map(({ why }) => why)).toEqual(['a cpio archive holds whole seconds']);
    }
    const [a, b] = paths.map((path) => readFileSync(path));
    expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
  });

  test('what the root lacks is one error, with the packages to add', async () => {
    const entries = clusterRootEntries(namesOfApplets(['sh']));
    for (const path of ['/usr/sbin/corosync', '/usr/sbin/dlm_controld', `${settings.modulesFolder}/d/dlm.ko`])
      delete entries[path];
    const error: unknown = await cpioRamdiskTree(treeWith(entries), { ...settings, modules: ['dumy'] }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DiagnosticError);
    const { diagnostics } = error as DiagnosticError;
    expect(diagnostics).toHaveLength(1);
    const [{ message, excerpt, hint } = { message: '', excerpt: [], hint: '' }] = diagnostics;
    expect(message).toMatch(/^the root lacks \d+ things that the ramdisk is made of$/);
    expect(excerpt).toEqual(
      expect.arrayContaining([
        'the kernel module dumy (did you mean dummy?)',
        'the kernel module dlm',
        'the program corosync',
        'the program dlm_controld',
        'the applet insmod of /bin/busybox',
      ]),
    );
    expect(hint).toBe(
      'Add to the base the Debian packages busybox-static, corosync, dlm-controld, user-mode-linux.',
    );
  });

  test.each([
    ['a lock table without a cluster', { lockTable: 'root' }, /the lock table "root"/],
    ['a lock table with a quote', { lockTable: `uml:'` }, /the lock table/],
    [
      'an address that is none',
      { addresses: ['192.168.50.1; reboot'] },
      /the address "192\.168\.50\.1; reboot"/,
    ],
    [
      'one address twice',
      { addresses: ['10.0.0.1', '10.0.0.1'] },
      /two nodes of the cluster have one address/,
    ],
    ['no nodes', { addresses: [] }, /a cluster without nodes/],
    ['an interface with blanks', { interface: 'eth0 up' }, /the network interface/],
    ['a network of all', { prefix: 0 }, /a network of 0 bits/],
    ['a token of nothing', { token: 0 }, /a token timeout of 0/],
    ['a path with a quote', { ownPaths: [`/var/'log`] }, /a path with blanks or quotes/],
    ['a path that leads out', { ownPaths: ['/var/../..'] }, /a path with "\.\."/],
    ['a relative device', { rootDevice: 'ubda' }, /not an absolute path/],
  ] satisfies [string, Partial<CpioRamdiskSettings>, RegExp][])(
    '%s is refused',
    async (_name, wrong, message) => {
      await expect(cpioRamdiskTree(root, { ...settings, ...wrong })).rejects.toThrowError(message);
    },
  );
});

describe("the folder of the kernel's modules", () => {
  test('is the only one, or the one of the version', () => {
    expect(findModulesFolder(root)).toBe(settings.modulesFolder);
    expect(findModulesFolder(root, '6.1.0')).toBe(settings.modulesFolder);
    expect(() => findModulesFolder(root, '2.4.16')).toThrowError(
      /no modules of the kernel 2\.4\.16\n.*\/uml\/modules\/6\.1\.0/,
    );
    const two = treeWith({ '/lib/modules/2.4.16-21um/a.o': text(''), '/lib/modules/2.4.18/a.o': text('') });
    expect(findModulesFolder(two, '2.4.18')).toBe('/lib/modules/2.4.18');
    expect(() => findModulesFolder(two)).toThrowError(
      /the modules of 2 kernels are there: 2\.4\.16-21um, 2\.4\.18/,
    );
    expect(() => findModulesFolder(treeWith({ a: text('') }))).toThrowError(/no kernel modules/);
  });
});

describe('the scripts', () => {
  testWith(['busybox'], 'are what busybox takes for scripts', () => {
    for (const script of [nodeInit(), fenceAgent()]) run('busybox', ['sh', '-n'], { input: script });
  });

  testWith(['busybox'], 'the fence agent asks the host, and believes no other answer', () => {
    const agent = join(folder, 'agent');
    writeFileSync(agent, fenceAgent().replaceAll('/fence/', `${folder}/`).replace('left=60', 'left=2'));
    const ask = (input: string): number | null => spawnSync(tool('busybox'), ['sh', agent], { input }).status;
    expect(ask('no number\n')).toBe(1);
    expect(ask('node=../../etc/passwd\n')).toBe(1);
    // What was answered before does not count.
    run('touch', [join(folder, 'ack.7')]);
    expect(ask('port=3\nnode=7\n')).toBe(1);
    expect(readFileSync(join(folder, 'req.7'), 'utf8')).toBe('fence\n');
    const answer = spawnSync(
      'sh',
      ['-c', `(sleep 0.2; touch ${folder}/ack.8) & exec ${tool('busybox')} sh ${agent}`],
      { input: 'node=8\n' },
    );
    expect(answer.status).toBe(0);
  });
});
