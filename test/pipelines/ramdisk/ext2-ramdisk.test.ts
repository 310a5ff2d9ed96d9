import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { readContent } from '../../../images/tree/content.js';
import { extractTree } from '../../../images/tree/extract.js';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import { Tree } from '../../../images/tree/tree.js';
import { openTree } from '../../../pipelines/open-image.js';
import {
  type Ext2RamdiskSettings,
  lockServerRamdiskTree,
  nodeRamdiskTree,
} from '../../../pipelines/ramdisk/ext2-ramdisk.js';
import { lockServerLinuxrc, nodeLinuxrc } from '../../../pipelines/ramdisk/linuxrc.js';
import { ramdiskSizeArgument, writeExt2Ramdisk } from '../../../pipelines/ramdisk/write-ramdisk.js';
import { loopMountFault, withLoopMount } from '../../support/loop-mount.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeUnless, run, testWith, tool } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { elf, hostProgram } from './cluster-root.js';

const folder = temporaryFolder();
const pace = new Pace();
const version = '/lib/modules/2.4.16-21um';

const settings: Ext2RamdiskSettings = {
  epoch: 1_030_000_000,
  modulesFolder: version,
  modules: ['dummy'],
  addresses: ['192.168.50.1', '192.168.50.2', '192.168.50.3'],
  lockServer: '192.168.50.101:15697',
  prefix: 24,
  interface: 'eth0',
  rootDevice: '/dev/pool/pool0',
  ubd: { devices: 8, minorStep: 16 },
  init: '/sbin/init',
  memexpdArguments: [],
};

/** A program that writes down how it was called, and does nothing else. */
function recorder(status = 0): FileNode {
  return text(`#!/bin/sh\necho "\${0##*/} $*" >> /calls\nexit ${status}\n`, { mode: 0o755 });
}

/** What stands for a Red Hat root with OpenGFS and cluster tools in it. */
function rootEntries(sh: FileNode): Record<string, TreeNode> {
  const programs = [
    '/bin/mount',
    '/bin/umount',
    '/bin/mkdir',
    '/bin/sleep',
    '/sbin/insmod',
    '/sbin/ifconfig',
  ];
  const others = ['/sbin/passemble', '/sbin/memexpd', '/sbin/pivot_root', '/usr/sbin/chroot'];
  return {
    '/bin/sh': sh,
    ...Object.fromEntries([...programs, ...others].map((path) => [path, recorder()])),
    [`${version}/modules.dep`]: text(
      `${version}/kernel/net/dummy.o:\t${version}/kernel/net/base.o\n${version}/kernel/net/base.o:\n`,
    ),
    ...Object.fromEntries(
      ['kernel/net/dummy', 'kernel/net/base', 'fs/pool', 'fs/gfs', 'fs/memexp'].map((name) => [
        `${version}/${name}.o`,
        text(name),
      ]),
    ),
  };
}

function textAt(tree: Tree, path: string): string {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`${path} is no file`);
  return readContent(node.content, node.size).toString();
}

describe('the ramdisk of a node of Linux 2.4', () => {
  test('has modules in their order, programs with their libraries, and devices', async () => {
    const entries = {
      ...rootEntries(elf({ bits: 32, interpreter: '/lib/ld-linux.so.2', needed: ['libc.so.6'] })),
      '/lib/ld-linux.so.2': elf({ bits: 32 }),
      '/lib/libc.so.6': elf({ bits: 32 }),
      '/sbin/insmod.static': recorder(),
    };
    const { tree, report } = await nodeRamdiskTree(treeWith(entries), settings);
    expect(report.modules.map((path) => path.slice(version.length + 1))).toEqual([
      'kernel/net/base.o',
      'kernel/net/dummy.o',
      'fs/pool.o',
      'fs/gfs.o',
      'fs/memexp.o',
    ]);
    expect(report.unlisted).toEqual(['pool', 'gfs', 'memexp']);
    expect(textAt(tree, '/modules/load')).toBe('base.o\ndummy.o\npool.o\ngfs.o\nmemexp.o\n');
    expect(tree.get('/lib/libc.so.6')?.type).toBe('file');
    expect(tree.get('/dev/ubd/7')).toMatchObject({ type: 'block', major: 98, minor: 112 });
    expect(tree.get('/dev/console')).toMatchObject({ type: 'character', major: 5, minor: 1 });
    expect(textAt(tree, '/etc/ramdisk.conf')).toMatch(/^insmod='\/sbin\/insmod\.static'$/m);
  });

  test('what the root lacks is one error', async () => {
    const entries = rootEntries(elf({ bits: 32, needed: ['libtermcap.so.2'] }));
    for (const path of ['/sbin/passemble', `${version}/fs/gfs.o`]) delete entries[path];
    const error: unknown = await nodeRamdiskTree(treeWith(entries), settings).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(DiagnosticError);
    const [{ message, excerpt, hint } = { message: '', excerpt: [], hint: '' }] = (error as DiagnosticError)
      .diagnostics;
    expect(message).toBe('the root lacks 3 things that the ramdisk is made of');
    expect(excerpt).toEqual([
      'the kernel module gfs',
      'the library libtermcap.so.2, which /bin/sh needs',
      'the program passemble',
    ]);
    expect(hint).toMatch(/made and installed with OpenGFS \(HOWTO 4\.7\)/);
  });

  test('a setting that a script could take for something else is refused', async () => {
    const root = treeWith(rootEntries(elf()));
    for (const wrong of [
      { memexpdArguments: ['a b'] },
      { memexpdArguments: ['$(x)'] },
      { init: '/sbin/x y' },
      { lockServer: 'host:1' },
    ]) {
      await expect(lockServerRamdiskTree(root, { ...settings, ...wrong })).rejects.toThrowError(
        DiagnosticError,
      );
    }
  });
});

testWith(
  ['e2fsck', 'gzip'],
  'as a gzipped ext2, which e2fsck finds clean, and the same each time',
  async () => {
    const { tree } = await nodeRamdiskTree(treeWith(rootEntries(elf())), settings);
    const paths = ['a', 'b'].map((name) => join(folder, `${name}.img`));
    for (const path of paths) {
      const written = await writeExt2Ramdisk(path, tree, { epoch: settings.epoch, pace });
      expect(written.unpackedBytes).toBeLessThan(1024 ** 2);
      expect(ramdiskSizeArgument(written.unpackedBytes)).toBeUndefined();
    }
    expect(readdirSync(folder).filter((name) => name.includes('ext2'))).toEqual([]);
    const [a = '', b = ''] = paths;
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
    const image = join(folder, 'image');
    run('sh', ['-c', `gzip -dc ${a} > ${image}`]);
    run('e2fsck', ['-f', '-n', image]);
    const back = await openTree(image, { pace });
    const differences = await differencesOf(
      new Tree(tree.root, { nanoseconds: false, xattrs: true }),
      back.tree,
    );
    back.close();
    expect(differences.filter(({ path }) => path !== '/lost+found')).toEqual([]);
  },
);

describeUnless(loopMountFault(), 'the kernel mounts what a ramdisk unpacks to', () => {
  testWith(['gzip'], 'with its devices and its list of modules', async () => {
    const { tree } = await nodeRamdiskTree(treeWith(rootEntries(elf())), settings);
    const [path, image, mounted] = ['mount.img', 'mount.image', 'mounted'].map((name) => join(folder, name));
    await writeExt2Ramdisk(`${path}`, tree, { epoch: settings.epoch, pace });
    run('sh', ['-c', `gzip -dc ${path} > ${image}`]);
    await withLoopMount(`${image}`, `${mounted}`, async () => {
      expect(run('stat', ['-c', '%F %t,%T', `${mounted}/dev/ubd/3`])).toBe('block special file 62,30\n');
      expect(run('cat', [`${mounted}/modules/load`])).toBe('base.o\ndummy.o\npool.o\ngfs.o\nmemexp.o\n');
    });
  });
});

test('a ramdisk that Linux 2.4 has to be told the size of', () => {
  expect(ramdiskSizeArgument(4096 * 1024)).toBeUndefined();
  expect(ramdiskSizeArgument(4096 * 1024 + 1)).toBe('ramdisk_size=4097');
});

for (const shell of ['bash', 'dash', 'busybox']) {
  testWith([shell], `the scripts are what ${shell} takes for scripts`, () => {
    for (const script of [nodeLinuxrc(), lockServerLinuxrc()])
      run(shell, [...(shell === 'busybox' ? ['sh'] : []), '-n'], { input: script });
  });
}

testWith(['busybox', 'bwrap'], 'the scripts call what they should, in a root of their own', async () => {
  let count = 0;
  /** Runs a ramdisk's /linuxrc with a command line; all programs but the shell only write down their calls. */
  const boot = async (
    tree: Tree,
    commandLine: string,
    first = false,
  ): Promise<{ status: number | null; output: string; calls: string[]; realRoot: string }> => {
    count += 1;
    const place = join(folder, `boot-${count}`);
    mkdirSync(place);
    await extractTree(tree.root, place, {}, pace);
    for (const path of ['proc/sys/kernel', 'sysroot/dev', 'dev'])
      mkdirSync(join(place, path), { recursive: true });
    writeFileSync(join(place, 'proc/cmdline'), `${commandLine}\n`);
    writeFileSync(join(place, 'sysroot/dev/console'), '');
    writeFileSync(join(place, 'dev/null'), '');
    const processes = first ? ['--unshare-pid', '--as-pid-1'] : [];
    const { status, stdout, stderr } = spawnSync(
      tool('bwrap'),
      [
        ...processes,
        '--die-with-parent',
        '--clearenv',
        '--bind',
        place,
        '/',
        '--chdir',
        '/',
        '/linuxrc',
        'single',
      ],
      { encoding: 'utf8', timeout: 20_000 },
    );
    const calls = join(place, 'calls');
    const realRoot = join(place, 'proc/sys/kernel/real-root-dev');
    return {
      status,
      output: stdout + stderr,
      calls: existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [],
      realRoot: existsSync(realRoot) ? readFileSync(realRoot, 'utf8') : '',
    };
  };
  const root = treeWith(rootEntries(hostProgram('busybox')));
  const { tree } = await nodeRamdiskTree(root, settings);
  const modules = ['base', 'dummy', 'pool', 'gfs', 'memexp'].map((name) => `insmod /modules/${name}.o`);
  const mounting = (address: string, rest = 'eth0', netmask = '255.255.255.0'): string[] => [
    'mount -t proc proc /proc',
    ...modules,
    'ifconfig lo 127.0.0.1 up',
    `ifconfig ${rest} ${address} netmask ${netmask} up`,
    'passemble ',
    `mount -t gfs -o hostdata=${address} /dev/pool/pool0 /sysroot`,
    'mkdir initrd',
    'umount /proc',
    'pivot_root . initrd',
  ];

  const asLinuxrc = await boot(tree, 'ubd0=root_cidev node=2 * root=/dev/ubd/1');
  expect(asLinuxrc.calls, asLinuxrc.output).toEqual(mounting('192.168.50.2'));
  expect(asLinuxrc).toMatchObject({ status: 0, realRoot: '0x0100\n' });
  expect(asLinuxrc.output).toMatch(/linuxrc: node2 starts\n[\s\S]*linuxrc: root mounted\n/);

  const asFirst = await boot(tree, 'root=/dev/ram0 init=/linuxrc ip=10.0.0.9:::255.0.0.0:n:eth1', true);
  expect(asFirst.calls, asFirst.output).toEqual([
    ...mounting('10.0.0.9', 'eth1', '255.0.0.0'),
    'chroot . /sbin/init single',
  ]);
  expect(asFirst.realRoot).toBe('');

  const nobody = await boot(tree, 'node=7');
  expect(nobody).toMatchObject({ status: 1, calls: ['mount -t proc proc /proc'] });
  expect(nobody.output).toMatch(/NODE-FAILED .*: the cluster has no node 7\n/);

  const broken = treeWith({ ...rootEntries(hostProgram('busybox')), '/sbin/passemble': recorder(1) });
  const failed = await boot((await nodeRamdiskTree(broken, settings)).tree, 'node=1');
  expect(failed.calls.at(-1)).toBe('passemble');
  expect(failed.output).toMatch(/NODE-FAILED node1: passemble\n/);
  expect(failed.status).toBe(1);

  // The script goes on for ever: what stands for its sleep ends it.
  const ending = text('#!/bin/sh\necho "sleep $*" >> /calls\nkill -9 $PPID\n', { ...plain, mode: 0o755 });
  const server = treeWith({ ...rootEntries(hostProgram('busybox')), '/bin/sleep': ending });
  const { tree: serverTree } = await lockServerRamdiskTree(server, {
    ...settings,
    memexpdArguments: ['-p', '15697'],
  });
  const served = await boot(serverTree, 'quiet');
  expect(served.calls, served.output).toEqual([
    'mount -t proc proc /proc',
    ...modules.slice(0, 2),
    'ifconfig lo 127.0.0.1 up',
    'ifconfig eth0 192.168.50.101 netmask 255.255.255.0 up',
    'memexpd -p 15697',
    'sleep 3600',
  ]);
  expect(served.output).toMatch(/^LOCK-SERVER-READY 192\.168\.50\.101$/m);
});
