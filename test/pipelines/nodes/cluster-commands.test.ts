import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { MKFS_DEFAULTS, makeFilesystem } from '../../../images/gfs/mkfs.js';
import type { ClusterStatus } from '../../../pipelines/nodes/cluster-status.js';
import { ClusterConnection } from '../../../pipelines/nodes/control-client.js';
import { memoryPrefix } from '../../../pipelines/nodes/memory-folder.js';
import { placesOf } from '../../../pipelines/nodes/places.js';
import { ClusterCommands } from '../../support/cluster-commands.js';
import { makeStandInKernel } from '../../support/stand-in-kernel.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';

const MIB = 1024 * 1024;
const TOOLS = ['mkfs.gfs2', 'uml_switch', 'flock', 'perl'];

/** Empty for a process that has ended since it was found. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

describeWith(TOOLS, 'the commands of clusters, with a stand-in for the kernel', () => {
  const folder = temporaryFolder();
  const home = join(folder, 'home');
  const build = join(folder, 'build');
  let commands: ClusterCommands;
  let record = '';

  beforeAll(() => {
    mkdirSync(home);
    mkdirSync(build);
    commands = new ClusterCommands(home);
    const standIn = makeStandInKernel(folder);
    record = standIn.record;
    const root = join(build, 'root_fs');
    writeFileSync(root, '');
    truncateSync(root, 64 * MIB);
    run('mkfs.gfs2', ['-q', '-O', '-K', '-p', 'lock_dlm', '-t', 'uml:root', '-j', '3', '-J', '8', root]);
    writeFileSync(join(build, 'initrd.img'), 'a ramdisk');
    writeStartFile({});
    process.env.HOME = home;
  });
  beforeEach(() => {
    writeFileSync(record, '');
  });
  afterEach(async () => {
    const names = commands.names('.ssiuml');
    for (const name of commands.names('.ssiuml', 'run')) commands.run('stop', ['--now', '--name', name]);
    const left = await commands.whenAllGone();
    rmSync(join(home, '.ssiuml'), { recursive: true, force: true });
    expect(left).toEqual([]);
    const prefixes = names.map((name) => memoryPrefix(join(home, '.ssiuml', name)));
    expect(
      readdirSync('/dev/shm').filter((name) => prefixes.some((prefix) => name.startsWith(prefix))),
    ).toEqual([]);
  });
  afterAll(() => commands.killAll());

  function writeStartFile(changes: Record<string, string | undefined>, name = 'ssiuml.conf'): string {
    const values = {
      KERNEL: join(folder, 'stand-in-kernel'),
      ROOT: 'root_fs',
      INITRD: 'initrd.img',
      ...changes,
    };
    const path = join(build, name);
    writeFileSync(
      path,
      Object.entries(values)
        .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]))
        .join(''),
    );
    return path;
  }

  /** Another folder to start from. */
  function otherBuild(changes: Record<string, string | undefined>): string {
    const path = mkdtempSync(join(folder, 'build-'));
    const text = readFileSync(writeStartFile(changes, 'other.conf'), 'utf8');
    writeFileSync(
      join(path, 'ssiuml.conf'),
      text.replace(/=(root_fs|initrd\.img)$/gm, (_, name: string) => `=${join(build, name)}`),
    );
    return path;
  }

  function starts(): string[] {
    return readFileSync(record, 'utf8').split('\n').slice(0, -1);
  }

  function statusOf(name: string): ClusterStatus {
    return JSON.parse(commands.output('status', '--json', '--name', name)) as ClusterStatus;
  }

  const append = (...words: string[]): string[] => words.flatMap((word) => ['--append', word]);

  test('from start to stop', async () => {
    const started = commands.run('start', ['2', '--out', build]);
    expect(started.stderr).toMatch(/node1: ready in .* s\n/);
    expect(started.stdout).toBe('build: 2 nodes are up (1, 2), 2 started\n');
    expect(started.status).toBe(0);
    const runtime = join(home, '.ssiuml/run/build');
    const [first = '', second = ''] = starts().sort((a, b) => a.indexOf('node=2') - b.indexOf('node=2'));
    expect(first.split(' ')).toEqual([
      'mem=256M',
      `initrd=${runtime}/initrd.img`,
      `eth0=daemon,fe:fd:0a:4d:00:01,unix,${runtime}/switch`,
      'con=null',
      'con0=fd:0,fd:1',
      `uml_dir=${runtime}/uml`,
      'umid=node1',
      'rdinit=/init',
      `ubd0c=${runtime}/root_fs`,
      'quiet',
      'noreboot',
      'initcall_blacklist=raid6_select_algo',
      'selinux=0',
      'audit=0',
      'pty.legacy_count=0',
      'lpj=50000000',
      'con1=fd:4,fd:5',
      `hostfs=${runtime}/host/1`,
      'node=1',
      'cluster=new',
      'fence=/',
    ]);
    expect(second).toContain('node=2 cluster=join meet=1 fence=/');

    expect(commands.output('add', '3', '1')).toBe('build: 3 nodes are up (1, 2, 3), 1 started\n');
    expect(starts().at(-1)).toContain('node=3 cluster=join meet=1,2 fence=/');
    expect(commands.output('start', '3', '--out', build)).toBe(
      'build: 3 nodes are up (1, 2, 3), nothing to do\n',
    );

    const status = statusOf('build');
    expect(status).toMatchObject({ name: 'build', kind: 'gfs2', nodesMax: 3, memoryMiB: 256, network: 'up' });
    expect(status.nodes).toMatchObject([
      { node: 1, state: 'ready', members: [1], lockspaces: [{ name: 'root', members: [1] }] },
      { node: 2, state: 'ready', members: [2] },
      { node: 3, state: 'ready', members: [3] },
    ]);
    expect(commands.output('status')).toMatch(
      /^build: .*root_fs \(gfs2, at most 3 nodes of 256 MiB\)\nNODE +STATE +UPTIME +MEMORY +MEMBERS +LOCKSPACE\n1 +ready +\d+ s +\d.*B +1 +root \(1\)\n/,
    );

    expect(commands.output('rm', '2')).toBe('');
    expect(statusOf('build').nodes[1]).toEqual({ node: 2, state: 'crashed' });
    const again = commands.run('rm', ['2', '3']);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringMatching(/^error: node2 is not up\n/) });
    expect(statusOf('build').nodes.map(({ state }) => state)).toEqual(['ready', 'crashed', 'crashed']);

    const stopped = commands.run('stop', []);
    expect(stopped.stderr).toMatch(/node1: shut down after/);
    expect(stopped).toMatchObject({ status: 0, stdout: 'build: stopped\n' });
    expect(await commands.whenAllGone()).toEqual([]);
    expect(commands.names('.ssiuml', 'run')).toEqual([]);
    expect(commands.names('.ssiuml', 'build')).toEqual(['logs', 'root_fs', 'root_fs.origin']);
    expect(commands.output('log', '1')).toMatch(
      /^ramdisk.*\n[\s\S]*NODE-READY node1\n[\s\S]*NODE-LEFT node1\n/,
    );
    expect(commands.output('status')).toBe('no cluster is running\n');
    expect(commands.output('stop')).toBe('no cluster is running\n');
    expect(commands.run('add', ['1'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is not running'),
    });
  });

  test('the last node that is ended makes the next one the first', () => {
    commands.output('start', '2', '--out', build);
    commands.output('rm', '1', '2');
    writeFileSync(record, '');
    commands.output('add', '2', '3');
    const [founder, joiner] = starts().sort((a) => (a.includes('cluster=new') ? -1 : 1));
    expect(founder).toContain('node=2 cluster=new');
    expect(joiner).toContain('node=3 cluster=join meet=2');
  });

  test('two commands that start at the same time make one cluster', async () => {
    const all = await Promise.all([1, 2, 3].map(() => commands.start('start', ['3', '--out', build]).end));
    expect(all.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(starts().filter((line) => line.includes('cluster=new'))).toHaveLength(1);
    expect(starts()).toHaveLength(3);
  });

  test('without options it is ~/.ssiuml/ssiuml.conf and the cluster default', () => {
    const missing = commands.run('start', []);
    expect(missing).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/there is no .*\.ssiuml\/ssiuml\.conf\n.*--out/),
    });
    mkdirSync(join(home, '.ssiuml'), { recursive: true });
    writeFileSync(
      join(home, '.ssiuml/ssiuml.conf'),
      `KERNEL=${folder}/stand-in-kernel\nROOT='${build}/root_fs'\nINITRD="${build}/initrd.img" # mine\n`,
    );
    expect(commands.output('start')).toBe('default: 3 nodes are up (1, 2, 3), 3 started\n');
  });

  test('several clusters at once; an image is for one', () => {
    commands.output('start', '1', '--out', build, '--name', 'one');
    commands.output('start', '2', '--out', build, '--name', 'two');
    expect(commands.output('status').match(/^\w+: /gm)).toEqual(['one: ', 'two: ']);
    const unclear = commands.run('exec', ['1', 'true']);
    expect(unclear).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('several clusters are running: one, two'),
    });
    expect(commands.output('exec', '--name', 'two', '2', 'echo here')).toBe('here\n');
    commands.output('start', '1', '--out', build, '--name', 'three', '--in-place');
    for (const options of [['--in-place'], []]) {
      const refused = commands.run('start', ['1', '--out', build, '--name', 'four', ...options]);
      expect(refused).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/build\/root_fs: error: a cluster uses it already/),
      });
    }
    const other = commands.run('start', ['1', '--out', build, '--name', 'one', '--mem', '128MiB']);
    expect(other).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is running with other settings'),
    });
  });

  test('commands in a node', () => {
    commands.output('start', '2', '--out', build, ...append('standin=deaf', 'only=2'), '--timeout', '2');
    const mixed = commands.run('exec', ['1', 'cat; echo err >&2; exit 5'], { input: 'in\n' });
    expect(mixed).toEqual({ status: 5, stdout: 'in\n', stderr: 'err\n' });
    expect(commands.output('exec', '1', 'printf', '[%s]', '$HOME', '-n', 'a b')).toBe('[$HOME][-n][a b]');
    expect(commands.run('exec', ['1', 'kill -TERM $$']).status).toBe(143);
    const bytes = Buffer.alloc(300_000, 'abc\n');
    expect(commands.run('exec', ['1', 'md5sum'], { input: bytes }).stdout).toBe(
      commands
        .run('exec', ['1', `head -c 300000 /dev/zero | tr '\\0' x | wc -c; md5sum`], { input: bytes })
        .stdout.replace('300000\n', ''),
    );
    expect(commands.run('exec', ['1', '/no/such', 'x'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('No such file'),
    });
    expect(commands.run('exec', ['3', 'true'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('node3 is not up\n  Start it: ssi-add 3.'),
    });
    expect(commands.run('exec', ['4', 'true'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('there is no node 4'),
    });
  });

  test('a command that is interrupted ends over there', async () => {
    commands.output('start', '1', '--out', build);
    const { child, end } = commands.start('exec', [
      '1',
      'trap "echo caught; exit 9" INT; echo up; while :; do sleep 0.05; done',
    ]);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGINT');
    expect(await end).toMatchObject({ status: 9, stdout: 'up\ncaught\n' });
    const other = commands.start('exec', ['1', 'echo $$; exec sleep 1000']);
    const pid = await new Promise<number>((resolve) =>
      other.child.stdout?.once('data', (bytes) => resolve(Number(`${bytes}`))),
    );
    other.child.kill('SIGKILL');
    await other.end;
    for (
      let tries = 0;
      existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`).length > 0 && tries < 60;
      tries++
    )
      await sleep(50);
    expect(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '').toBe('');
  });

  test('a console', async () => {
    commands.output('start', '1', '--out', build);
    const connection = await ClusterConnection.open(placesOf('build'));
    let shown = '';
    const end = new AbortController();
    const attached = connection?.request(
      { type: 'console', node: 1 },
      {
        signal: end.signal,
        onAttached: () => void connection.input(Buffer.from('hello\n')),
        onOutput: (_, bytes) => {
          shown += bytes.toString();
          if (shown.includes('typed: hello')) end.abort();
        },
      },
    );
    await attached?.catch(() => {});
    // What it showed before comes first.
    expect(shown).toMatch(/NODE-READY node1\n[\s\S]*typed: hello/);
    expect(commands.run('console', ['1'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('needs a terminal'),
    });
  });

  test('a console that shows too much keeps its log small and nobody waiting', () => {
    commands.output('start', '1', '--out', build, ...append('standin=flooding'));
    expect(commands.output('exec', '1', 'sleep 1; echo quick')).toBe('quick\n');
    const logs = join(home, '.ssiuml/build/logs');
    const bytes = readdirSync(logs).map((name) => readFileSync(join(logs, name)).length);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(4 * MIB);
  });

  test.each([
    // Each looks for others when the one before is a member, …
    ['late', 2, ['node2| joined the membership', 'node3| looks for others']],
    // … which is not waited for for ever.
    ['later', 2, ['node3| joined the membership', 'node2| joined the membership']],
    // Their lock managers start when all are there.
    ['late', 3, ['node3| joined the membership', 'node2| dlm_controld up, fencing by the host']],
    // The first has locks for the root before the others look for it.
    ['mounting', 1, ['node1| joined the lockspace', 'node2| looks for others']],
  ])('nodes that start together join one after the other: one is %s', (how, only, order) => {
    const { stderr } = commands.run('start', [
      '3',
      '--out',
      build,
      ...append(`standin=${how}`, `only=${only}`),
    ]);
    const places = order.map((text) => stderr.indexOf(text));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    for (const node of [1, 2, 3]) expect(stderr).toContain(`node${node}: ready`);
  });

  test.each([
    ['failing', /node1 did not come up: no luck today\n {2}NODE-FAILED node1: no luck today\n/, []],
    ['dying', /node1 did not come up: it ended\n {2}Kernel panic - not syncing: made up\n/, []],
    ['silent', /node1 did not come up: it is not up after \d+ s\n/, ['--timeout', '1']],
  ] as const)('a first node that is %s', async (how, message, limit) => {
    const { status, stderr } = commands.run('start', [
      '2',
      '--out',
      build,
      ...limit,
      ...append(`standin=${how}`, 'only=1'),
    ]);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
    // Of a cluster that has no first node nothing stays.
    expect(await commands.whenAllGone()).toEqual([]);
    expect(commands.output('status')).toBe('no cluster is running\n');
  });

  test('a first node that dies when the others look for it: they end with it', async () => {
    const { status, stderr } = commands.run('start', [
      '3',
      '--out',
      build,
      ...append('standin=fleeting', 'only=1'),
    ]);
    expect(stderr).toContain('node1| joined the lockspace');
    expect(stderr).toMatch(/error: node1 did not come up: it ended\n/);
    expect(stderr).not.toMatch(/node[23]: ready/);
    expect(status).toBe(1);
    expect(await commands.whenAllGone()).toEqual([]);
  });

  test('of several nodes one does not come up: the others stay', () => {
    const { status, stderr } = commands.run('start', [
      '3',
      '--out',
      build,
      ...append('standin=failing', 'only=2'),
    ]);
    expect(stderr).toMatch(/error: node2 did not come up: no luck today/);
    expect(status).toBe(1);
    expect(statusOf('build').nodes.map(({ state }) => state)).toEqual(['ready', 'failed', 'ready']);
  });

  test('a node whose ramdisk would not wait for the cluster is ended before it does harm', () => {
    const { status, stderr } = commands.run('start', [
      '2',
      '--out',
      build,
      ...append('standin=impatient', 'only=2'),
    ]);
    // Whether it came too early depends on the first one: if not, there was no harm.
    if (status === 1) expect(stderr).toMatch(/node2 did not come up: its ramdisk does not wait/);
    commands.output('stop', '--now');
    const early = commands.run('start', [
      '2',
      '--out',
      build,
      '--timeout',
      '2',
      ...append('standin=impatient'),
    ]);
    expect(early.status === 0 || /its ramdisk does not wait/.test(early.stderr)).toBe(true);
  });

  test('Ctrl-C while it starts', async () => {
    const { child, end } = commands.start('start', ['2', '--out', build, ...append('standin=silent')]);
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (bytes: Buffer) => {
        if (bytes.includes('node2: starts')) resolve();
      });
    });
    child.kill('SIGINT');
    expect(await end).toMatchObject({ status: 130, stderr: expect.stringContaining('interrupted') });
    expect(await commands.whenAllGone()).toEqual([]);
    expect(commands.names('.ssiuml', 'run')).toEqual([]);
  });

  test('ssi-stop while it starts', async () => {
    const { child, end } = commands.start('start', [
      '2',
      '--out',
      build,
      ...append('standin=silent', 'only=2'),
    ]);
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (bytes: Buffer) => {
        if (bytes.includes('node1: ready')) resolve();
      });
    });
    expect(commands.output('stop')).toBe('build: stopped\n');
    expect(await end).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the cluster was stopped meanwhile'),
    });
  });

  test('a node that does not shut down is ended, and ssi-stop says so', () => {
    commands.output('start', '2', '--out', build, ...append('standin=hanging', 'only=2'));
    const { status, stderr } = commands.run('stop', ['--timeout', '1']);
    expect(stderr).toMatch(/node1: shut down after[\s\S]*error: node2 did not shut down in good order\n/);
    expect(status).toBe(1);
  });

  test('a supervisor that is killed takes its nodes with it, and the next command cleans up', async () => {
    commands.output('start', '2', '--out', build);
    const { supervisor } = statusOf('build');
    process.kill(supervisor, 'SIGKILL');
    expect(await commands.whenAllGone()).toEqual([]);
    expect(commands.names('.ssiuml', 'run')).toEqual(['build']);
    expect(commands.output('stop')).toBe('no cluster is running\n');
    expect(commands.names('.ssiuml', 'run')).toEqual([]);
    expect(commands.output('start', '1', '--out', build)).toMatch(/1 node is up/);
  });

  test('nodes that a dead supervisor left running are ended before another one starts', async () => {
    commands.output('start', '1', '--out', build);
    const { supervisor, nodes } = statusOf('build');
    const group = nodes[0]?.group ?? 0;
    // Without its guard a node would live on.
    for (const pid of commands.processes())
      if (/^\/\S*bash\0-c\0\(read/.test(commandLineOf(pid)) && pid !== group) process.kill(pid, 'SIGKILL');
    process.kill(supervisor, 'SIGKILL');
    await sleep(300);
    expect(commands.processes()).not.toEqual([]);
    commands.output('start', '1', '--out', build);
    expect(commands.processes().every((pid) => pid !== group)).toBe(true);
  });

  test('a dead switch', () => {
    commands.output('start', '1', '--out', build);
    for (const pid of commands.processes())
      if (commandLineOf(pid).startsWith('/usr/bin/uml_switch')) process.kill(pid, 'SIGKILL');
    for (let tries = 0; statusOf('build').network === 'up' && tries < 50; tries++);
    expect(commands.output('status')).toContain('the network switch has ended');
    expect(commands.run('add', ['2'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("the cluster's network switch has ended"),
    });
    commands.output('rm', '1');
    expect(commands.output('add', '1', '2')).toContain('2 nodes are up (1, 2)');
  });

  test('a node that asks for it has another one ended', async () => {
    commands.output('start', '3', '--out', build);
    const host = join(home, '.ssiuml/run/build/host/1');
    writeFileSync(join(host, 'req.2'), 'fence\n');
    for (let tries = 0; !existsSync(join(host, 'ack.2')) && tries < 100; tries++) await sleep(20);
    expect(existsSync(join(host, 'ack.2'))).toBe(true);
    expect(existsSync(join(host, 'req.2'))).toBe(false);
    expect(statusOf('build').nodes.map(({ state }) => state)).toEqual(['ready', 'fenced', 'ready']);
  });

  test('what nodes wrote stays until --fresh; a newer build is told of', () => {
    const other = mkdtempSync(join(folder, 'build-'));
    run('cp', [join(build, 'root_fs'), join(build, 'initrd.img'), other]);
    writeFileSync(
      join(other, 'ssiuml.conf'),
      `KERNEL=${folder}/stand-in-kernel\nROOT=root_fs\nINITRD=initrd.img\n`,
    );
    const start = (...options: string[]) =>
      commands.run('start', ['1', '--out', other, '--name', 'copy', ...options]);
    expect(start().status).toBe(0);
    const copy = join(home, '.ssiuml/copy/root_fs');
    const mark = (): void => {
      const file = SparseFile.open(copy);
      file.write(Buffer.from('mark'), 67_000_000);
      file.close();
    };
    const isMarked = (): boolean => readFileSync(copy).subarray(67_000_000, 67_000_004).toString() === 'mark';
    mark();
    expect(commands.run('start', ['1', '--out', other, '--name', 'copy', '--fresh'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is running'),
    });
    commands.output('stop');
    expect(start().stderr).not.toContain('note:');
    expect(isMarked()).toBe(true);
    commands.output('stop');
    utimesSync(join(other, 'root_fs'), 1, 1);
    expect(start().stderr).toMatch(/note: .*is not what the working copy .* was made from\n.*--fresh/);
    expect(isMarked()).toBe(true);
    commands.output('stop');
    expect(start('--fresh').stderr).not.toContain('note:');
    expect(isMarked()).toBe(false);
  });

  test('an OpenGFS root: the lock server first, disks as the HOWTO has them', () => {
    const device = SparseFile.create(join(build, 'opengfs_root'), 256 * MIB);
    makeFilesystem(device, {
      ...MKFS_DEFAULTS,
      lockProtocol: 'memexp',
      lockTable: '/dev/pool/pool0cidev',
      journals: 2,
      journalMiB: 32,
      resourceGroupMiB: 32,
      time: 0,
      expert: true,
    } as Parameters<typeof makeFilesystem>[1]);
    device.close();
    for (const name of ['root_cidev', 'initrd-memexp.img']) writeFileSync(join(build, name), name);
    const incomplete = commands.run('start', [
      '2',
      '--out',
      otherBuild({ ROOT: join(build, 'opengfs_root') }),
      '--name',
      'old',
    ]);
    expect(incomplete).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('does not set CIDEV and INITRD_MEMEXP'),
    });
    const out = otherBuild({
      ROOT: join(build, 'opengfs_root'),
      CIDEV: join(build, 'root_cidev'),
      INITRD_MEMEXP: join(build, 'initrd-memexp.img'),
    });
    expect(commands.output('start', '2', '--out', out, '--name', 'old')).toContain('2 nodes are up (1, 2)');
    const runtime = join(home, '.ssiuml/run/old');
    const [server, ...nodes] = starts();
    expect(server?.split(' ')).toEqual([
      'mem=256M',
      `initrd=${runtime}/initrd-memexp.img`,
      `eth0=daemon,fe:fd:0a:4d:00:fe,unix,${runtime}/switch`,
      'con=null',
      'con0=fd:0,fd:1',
      `uml_dir=${runtime}/uml`,
      'umid=lock-server',
    ]);
    expect(nodes.sort().map((line) => line.split(' ').slice(-3))).toEqual(
      [1, 2].map((node) => [`ubd1=${runtime}/root_cidev`, `ubd2=${runtime}/root_fs`, `node=${node}`]),
    );
    expect(commands.run('exec', ['1', 'true'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('its root has no agent'),
    });
    expect(commands.output('log', 'lock-server')).toContain('LOCK-SERVER-READY');
    expect(commands.output('stop', '--now')).toBe('old: stopped\n');
  });

  test.each([
    ['a missing kernel', { KERNEL: '/no/linux' }, [], 1, /\/no\/linux: error: the kernel: no such file/],
    [
      'a kernel that can not be run',
      { KERNEL: 'initrd.img' },
      [],
      1,
      /initrd\.img: error: the kernel: permission denied/,
    ],
    [
      'a missing root and ramdisk',
      { ROOT: '/no/root', INITRD: '/no/initrd' },
      [],
      1,
      /the ramdisk: no such file[\s\S]*the shared root: no such file/,
    ],
    [
      'a root that nodes can not share',
      { ROOT: join(import.meta.dirname, 'cluster-commands.test.ts') },
      [],
      1,
      /no filesystem that nodes can share/,
    ],
    ['a start file without a root', { ROOT: undefined }, [], 2, /does not set ROOT, the shared root/],
    [
      'an unknown key',
      { KERNL: 'x' },
      [],
      2,
      /ssiuml\.conf:4:1: error: "KERNL" is not known here\n[\s\S]*Did you mean KERNEL/,
    ],
    ['more nodes than journals', {}, ['4'], 2, /there is no node 4: .* has 3 journals/],
    ['node 0', {}, ['0'], 2, /there is no node 0/],
    ['a number that is none', {}, ['two'], 2, /"two" is no whole number/],
    ['a name that is none', {}, ['--name', '../x'], 2, /a cluster can't be called "\.\.\/x"/],
    ['a reserved name', {}, ['--name', 'run'], 2, /a cluster can't be called "run"/],
    ['too little memory', {}, ['--mem', '1MiB'], 2, /a node can't have 1 MiB of memory/],
    ['too much memory', {}, ['--mem', '900GiB'], 1, /need \d+ MiB of memory, and this host has/],
    ['a size that is none', {}, ['--mem', 'much'], 2, /--mem: "much" is no size/],
    ['no time', {}, ['--timeout', '0'], 2, /--timeout: "0" can't be/],
    ['windows that are not known', {}, ['--consoles', 'vt100'], 2, /--consoles: "vt100" is not known/],
    ['options that exclude each other', {}, ['--fresh', '--in-place'], 2, /exclude each other/],
    ['a word with blanks', {}, ['--append', 'a b'], 2, /is no word of a kernel's command line/],
    ['an unknown option', {}, ['--fresch'], 2, /unknown option '--fresch'[\s\S]*--fresh/],
  ] as const)('%s', async (_, changes, args, status, message) => {
    const result = commands.run('start', [
      '--out',
      otherBuild(changes as Record<string, string>),
      '--name',
      'bad',
      ...args,
    ]);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(status);
    expect(starts()).toEqual([]);
    expect(await commands.whenAllGone()).toEqual([]);
  });

  test('a home folder with a long path: the sockets go elsewhere', async () => {
    const long = join(folder, 'x'.repeat(90));
    mkdirSync(long);
    const elsewhere = new ClusterCommands(long);
    try {
      expect(elsewhere.output('start', '1', '--out', build, '--name', 'far')).toContain('1 node is up');
      expect(elsewhere.output('exec', '1', 'echo far')).toBe('far\n');
    } finally {
      elsewhere.run('stop', ['--now', '--name', 'far']);
      // It takes its folder away after it has answered.
      expect(await elsewhere.whenAllGone()).toEqual([]);
    }
    expect(existsSync(`/tmp/ssiuml-${process.geteuid?.()}/far`)).toBe(false);
  });
});
