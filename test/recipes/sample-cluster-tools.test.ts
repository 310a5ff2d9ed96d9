import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, findTool, run, testWith } from '../support/tools.js';

const folder = temporaryFolder();
const sample = fileURLToPath(new URL('../../recipes/sample', import.meta.url));
const source = join(folder, 'cluster-tools');
const root = join(folder, 'root');
cpSync(join(sample, 'cluster-tools'), source, { recursive: true });
const readRoot = (path: string): string => readFileSync(join(root, path), 'utf8');

const caldera = `\
id:5:initdefault:
l3:3:wait:/etc/rc.d/rc 3
1:12345:respawn:/sbin/getty tty1 VC linux
2:2345:respawn:/sbin/getty tty2 VC linux
`;
const debian = `\
id:2:initdefault:
#1:2345:respawn:/sbin/getty 9600 tty1
1:2345:respawn:/sbin/getty 38400 tty1
T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100
10:23:respawn:/sbin/getty 38400 tty10
`;

/** A root with what the rules change: other names of init and halt, a start link. */
function makeRoot(inittab: string): void {
  rmSync(root, { recursive: true, force: true });
  for (const path of ['sbin', 'etc/rc.d/rc3.d']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'etc', 'inittab'), inittab);
  for (const name of ['init', 'halt']) writeFileSync(join(root, 'sbin', name), name);
  linkSync(join(root, 'sbin', 'init'), join(root, 'sbin', 'telinit'));
  symlinkSync('halt', join(root, 'sbin', 'reboot'));
  symlinkSync('../init.d/kudzu', join(root, 'etc/rc.d/rc3.d/S05kudzu'));
}

const LISTING = `find ${root} ! -type d -printf '%y %m %U %G %n %P -> %l\\n' | sort && stat -c '%n %t,%T' ${root}/dev/cluster && stat -c '%a %u %g' ${root}/var/log/cluster`;

/** Runs a make rule as root, or as fakeroot has it. Returns what it made. */
function install(rule: string): string {
  return run('fakeroot', ['sh', '-c', `make -s -j4 -C ${source} ${rule} UML_ROOT=${root} && ${LISTING}`]);
}

describeWith(['make', 'fakeroot', 'sed'], 'the cluster-tools sample', () => {
  const redhat = readFileSync(join(sample, 'base/files/etc/inittab'), 'utf8');

  test('installs its files, whatever the root has of them', () => {
    makeRoot(redhat);
    const shown = install('install_ssi_redhat');
    for (const line of [
      'f 4755 0 0 1 sbin/clusternode_num -> ',
      'f 755 0 0 2 sbin/onnode -> ',
      'f 755 0 0 2 sbin/onall -> ',
      'f 755 0 0 1 sbin/telinit -> ',
      'f 755 0 0 1 sbin/reboot -> ',
      'f 755 0 0 1 etc/rc.d/rc.nodeup -> ',
      'f 644 0 0 1 etc/inittab.ssi -> ',
      'f 640 0 4 1 var/log/cluster/nodeup -> ',
      'l 777 0 0 1 bin/onnode -> ../sbin/onnode',
      'c 600 0 0 1 dev/cluster -> ',
      `${root}/dev/cluster a,f0`,
      '2775 0 4',
    ])
      expect(shown.split('\n')).toContain(line);
    // What they replace was another name of these.
    expect([readRoot('sbin/init'), readRoot('sbin/halt')]).toEqual(['init', 'halt']);
    expect(shown).not.toContain('S05kudzu');
    expect(install('install_ssi_redhat')).toBe(shown);
  });

  test('makes an inittab.ssi with two places that are "For UML"', () => {
    makeRoot(redhat);
    install('install_ssi_redhat');
    expect(readRoot('etc/inittab')).toBe(redhat);
    const made = readRoot('etc/inittab.ssi');
    expect(made).toContain(`\
# Logins on the terminals.
# For UML, comment out the next line and uncomment the one below it.
1:2345:respawn:/sbin/mingetty tty1
#1:2345:respawn:/sbin/mingetty tty0
2:2345:respawn:/sbin/mingetty tty2
`);
    expect(made).toContain(`
# For UML, comment out the next line.
dh:345:respawn:/usr/sbin/dhcpd -f
`);
    expect(made).toMatch(/^nu:345:nodeup:\/etc\/rc\.d\/rc\.nodeup$/m);
    expect(made.match(/For UML/g)).toHaveLength(2);
    // All lines of the distribution's own are there still.
    for (const line of redhat.split('\n')) expect(made.split('\n')).toContain(line);
  });

  test.each([
    [
      'install_ssi_caldera',
      caldera,
      '1:12345:respawn:/sbin/getty tty1 VC linux\n#1:12345:respawn:/sbin/getty tty0 VC linux\n',
      'dh:345:',
    ],
    [
      'install_ssi_debian',
      debian,
      '1:2345:respawn:/sbin/getty 38400 tty1\n#1:2345:respawn:/sbin/getty 38400 tty0\nT0',
      'dh:2345:',
    ],
  ])('%s understands such an inittab', (rule, inittab, gettys, dhcp) => {
    makeRoot(inittab);
    install(rule);
    const made = readRoot('etc/inittab.ssi');
    expect(made).toContain(`# For UML, comment out the next line and uncomment the one below it.\n${gettys}`);
    expect(made).toContain(`\n${dhcp}`);
    expect(made.match(/For UML/g)).toHaveLength(2);
    expect(existsSync(join(root, 'etc/rc.d/rc3.d/S05kudzu'))).toBe(false);
  });

  test('refuses a root in which no getty is on tty1, and leaves no inittab.ssi', () => {
    makeRoot(debian.replaceAll(' tty1\n', ' tty2\n'));
    expect(() => install('install_ssi_debian')).toThrow(/has not exactly one getty on tty1/);
    expect(existsSync(join(root, 'etc/inittab.ssi'))).toBe(false);
    expect(existsSync(join(root, 'etc/inittab.ssi.new'))).toBe(false);
  });

  test.each([['UML_ROOT='], ['UML_ROOT=/'], ['UML_ROOT=/nonexistent']])(
    'changes nothing with %s',
    (argument) => {
      expect(() => run('make', ['-s', '-n', '-C', source, 'check', argument])).not.toThrow();
      expect(() => run('make', ['-s', '-C', source, 'check', argument])).toThrow(
        /UML_ROOT must be|has no etc\/inittab/,
      );
    },
  );
});

describe('the tools of the sample', () => {
  const programs = join(folder, 'programs');
  const table = join(folder, 'clustertab');
  const tools = join(source, 'sbin');

  /** Runs a tool on node 2, where ssh and ping say what they were asked. */
  const on2 = (name: string, ...args: string[]): string =>
    run('dash', [join(tools, name), ...args], {
      env: { CLUSTERTAB: table, PATH: `${programs}:/bin:/usr/bin` },
    });

  beforeEach(() => {
    mkdirSync(programs, { recursive: true });
    writeFileSync(table, '# nodes\n1 10.0.0.1\n2 10.0.0.2\n12 10.0.0.12 # far away\n');
    const program = (name: string, body: string): void => {
      writeFileSync(join(programs, name), `#!/bin/sh\n${body}\n`);
      chmodSync(join(programs, name), 0o755);
    };
    program('clusternode_num', 'echo 2');
    program('ssh', 'echo "ssh $*"');
    program('ping', 'test "$5" = 10.0.0.1');
    for (const name of ['onnode', 'onall']) {
      cpSync(join(tools, 'onnode'), join(programs, name));
      chmodSync(join(programs, name), 0o755);
    }
  });

  testWith(['dash'], 'onnode and onall reach the nodes of the table', () => {
    expect(on2('onnode', '12', 'uptime')).toBe('ssh -n -o BatchMode=yes 10.0.0.12 uptime\n');
    expect(on2('onnode', '2', 'echo', 'here')).toBe('here\n');
    expect(() => on2('onnode', '3', 'true')).toThrow(/has no node 3/);
    expect(() => on2('onnode', '1x', 'true')).toThrow(/usage: onnode/);
    const all = run('dash', [join(programs, 'onall'), 'echo', 'x'], {
      env: { CLUSTERTAB: table, PATH: `${programs}:/bin:/usr/bin` },
    });
    expect(all).toBe(
      'ssh -n -o BatchMode=yes 10.0.0.1 echo x\nx\nssh -n -o BatchMode=yes 10.0.0.12 echo x\n',
    );
  });

  testWith(['dash'], 'cluster says which nodes answer', () => {
    expect(() => on2('cluster')).toThrow();
    writeFileSync(table, '1 10.0.0.1\n2 10.0.0.2\n');
    expect(on2('cluster')).toBe('1 10.0.0.1 up\n2 10.0.0.2 here\n');
  });

  testWith(['dash'], 'telinit asks all nodes, and only for runlevels', () => {
    writeFileSync(table, '1 10.0.0.1\n');
    expect(on2('telinit', '3')).toBe('ssh -n -o BatchMode=yes 10.0.0.1 /sbin/init 3\n');
    for (const level of ['', '10', '3; reboot'])
      expect(() => on2('telinit', level)).toThrow(/usage: telinit/);
  });

  test.skipIf(findTool('dash') === undefined)('all are scripts that a shell understands', () => {
    for (const name of [
      'sbin/init.ssi',
      'sbin/clusternode_num',
      'sbin/reboot',
      'etc/rc.nodeup',
      'inittab/derive',
    ])
      run('dash', ['-n', join(source, name)]);
  });
});
