import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, findTool, run, tool } from '../support/tools.js';

const tools = fileURLToPath(new URL('../../recipes/debian/node-tools', import.meta.url));

/** Debian's own, without its comments. */
const INITTAB = `\
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
~~:S:wait:/sbin/sulogin --force
l0:0:wait:/etc/init.d/rc 0
l1:1:wait:/etc/init.d/rc 1
l2:2:wait:/etc/init.d/rc 2
l3:3:wait:/etc/init.d/rc 3
l4:4:wait:/etc/init.d/rc 4
l5:5:wait:/etc/init.d/rc 5
l6:6:wait:/etc/init.d/rc 6
z6:6:respawn:/sbin/sulogin --force
ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now
1:2345:respawn:/sbin/getty --noclear 38400 tty1
2:23:respawn:/sbin/getty 38400 tty2
6:23:respawn:/sbin/getty 38400 tty6
#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100
`;

function rootWith(inittab: string): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/inittab'), inittab);
  return root;
}

function derive(root: string) {
  return spawnSync('sh', [join(tools, 'inittab/derive'), root], { encoding: 'utf8' });
}

describe('the inittab of a node', () => {
  test("is the distribution's, with what a node runs in place of its scripts", () => {
    const root = rootWith(INITTAB);
    expect(derive(root)).toMatchObject({ status: 0, stderr: '' });
    const derived = readFileSync(join(root, 'etc/inittab.ssi'), 'utf8');
    expect(
      derived.split('\n').filter((line) => /^#?\w*:|For UML/.test(line) || line.startsWith('~~:')),
    ).toEqual([
      'ag:2345:respawn:/usr/sbin/node-agent /dev/tty1',
      'id:2:initdefault:',
      'si::sysinit:/usr/lib/ssi/boot',
      '~~:S:wait:/sbin/sulogin --force',
      'l0:0:wait:/usr/lib/ssi/leave',
      'l1:1:wait:/usr/lib/ssi/services 1',
      'l2:2:wait:/usr/lib/ssi/services 2',
      'l3:3:wait:/usr/lib/ssi/services 3',
      'l4:4:wait:/usr/lib/ssi/services 4',
      'l5:5:wait:/usr/lib/ssi/services 5',
      'l6:6:wait:/usr/lib/ssi/leave',
      'z6:6:respawn:/sbin/sulogin --force',
      'ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now',
      '# For UML, comment out the next line and uncomment the one below it.',
      '1:2345:respawn:/sbin/getty --noclear 38400 tty1',
      '#1:2345:respawn:/sbin/getty --autologin root --login-pause --noclear 38400 tty0',
      '#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100',
      '# For UML, comment out the next line.',
      'dh:2345:respawn:/usr/sbin/dhcpd -f',
    ]);
    expect(readFileSync(join(root, 'etc/inittab'), 'utf8')).toBe(INITTAB);
    expect(readdirSync(join(root, 'etc')).sort()).toEqual(['inittab', 'inittab.ssi']);
  });

  test.each([
    ['si::sysinit:/etc/init.d/rcS\n', '', 'an entry "sysinit" 0 times'],
    ['l0:0:wait:/etc/init.d/rc 0\n', '', 'an entry for runlevel 0 0 times'],
    ['l1:1:wait:/etc/init.d/rc 1\n', '', 'an entry for runlevel 1 0 times'],
    ['l2:2:', 'x2:2:wait:/etc/init.d/rc 2\nl2:2:', 'an entry for runlevel 2 2 times'],
    ['38400 tty1', '38400 ttyS1', 'a getty on tty1 0 times'],
  ])('is not made of one that is otherwise: %j', (from, to, fault) => {
    const root = rootWith(INITTAB.replace(from, to));
    const { status, stderr } = derive(root);
    expect(status).toBe(1);
    expect(stderr).toContain(`/etc/inittab has ${fault}`);
    expect(readdirSync(join(root, 'etc'))).toEqual(['inittab']);
  });
});

describeWith(['make'], 'the rule install_ssi_debian', () => {
  const make = (...words: string[]) => spawnSync(tool('make'), ['-C', tools, ...words], { encoding: 'utf8' });

  test.each(['', '/'])('does not change the system that it runs on: UML_ROOT=%j', (root) => {
    const { status, stderr } = make('install_ssi_debian', `UML_ROOT=${root}`);
    expect(status).toBe(2);
    expect(stderr).toContain('UML_ROOT must be the root of the cluster');
  });

  test('says what a root without sysvinit lacks', () => {
    const { status, stderr } = make('install_ssi_debian', `UML_ROOT=${temporaryFolder()}`);
    expect(status).toBe(2);
    expect(stderr).toContain('add the package sysvinit-core');
  });
});

test('the scripts are plain sh', () => {
  const scripts = ['lib', 'sbin'].flatMap((folder) =>
    readdirSync(join(tools, folder)).map((name) => join(tools, folder, name)),
  );
  expect(scripts).toHaveLength(9);
  for (const script of scripts) run('sh', ['-n', script]);
  if (findTool('dash') !== undefined) for (const script of scripts) run('dash', ['-n', script]);
});

describe("a runlevel's links", () => {
  function folders(links: Record<string, readonly string[]>): string {
    const root = temporaryFolder();
    mkdirSync(join(root, 'init.d'));
    for (const [folder, names] of Object.entries(links)) {
      mkdirSync(join(root, folder));
      for (const name of names) {
        const script = join(root, 'init.d', name.slice(3));
        if (!existsSync(script)) {
          writeFileSync(script, `#!/bin/sh\necho "${name.slice(3)} $1"\n`);
          chmodSync(script, 0o755);
        }
        symlinkSync(`../init.d/${name.slice(3)}`, join(root, folder, name));
      }
    }
    return root;
  }
  const runScripts = (root: string, words: string): string =>
    run('sh', ['-c', `. '${join(tools, 'lib/scripts')}'; cd '${root}'; run_scripts ${words}`]);

  test('start in their order, those of packages and not those of a host of its own', () => {
    const root = folders({
      S: [
        'S01hostname.sh',
        'S02mountkernfs.sh',
        'S03checkroot-bootclean.sh',
        'S04udev',
        'S05rpcbind',
        'S04demo',
      ],
      2: ['S01bootlogs', 'S02cron', 'S01nginx', 'K01stopped', 'README', 'S03corosync', 'S9odd'],
      0: ['K01nginx', 'K02sendsigs', 'K03umountfs', 'K04halt', 'K05networking'],
      empty: [],
    });
    chmodSync(join(root, 'init.d/cron'), 0o644);
    expect(runScripts(root, 'S S start')).toBe('demo start\nrpcbind start\n');
    expect(runScripts(root, '2 S start')).toBe('nginx start\n');
    expect(runScripts(root, '2 K stop')).toBe('stopped stop\n');
    expect(runScripts(root, '0 K stop')).toBe('nginx stop\n');
    expect(runScripts(root, 'empty S start')).toBe('');
    expect(runScripts(root, 'nowhere S start')).toBe('');
  });

  test('start only what does not run already', () => {
    const root = folders({ 2: ['S01one', 'S05two'], 3: ['S03two', 'S04three', 'S05four'] });
    expect(runScripts(root, '3 S start 2')).toBe('three start\nfour start\n');
  });
});
