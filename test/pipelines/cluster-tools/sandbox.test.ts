import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith } from '../../support/tools.js';
import { compileInto } from './compiled.js';
import { failureOf, HOSTS, install, SOURCE } from './installing.js';

const scratch = temporaryFolder();
const TOOLS = ['make', 'fakeroot', 'bwrap', 'unshare', 'setpriv'];
const MIB = 1024 * 1024;

/** Sources in which the Makefile's variables have these values. */
function sourcesWith(values: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(scratch, 'source-'));
  let makefile = readFileSync(join(SOURCE, 'Makefile'), 'utf8');
  for (const [name, value] of Object.entries(values)) {
    makefile = makefile.replace(new RegExp(`^${name} = .*$`, 'm'), `${name} = ${value}`);
  }
  writeFileSync(join(folder, 'Makefile'), makefile);
  return folder;
}

/** A number of seconds that no other process sleeps. */
function newMark(): string {
  return `9${process.pid}.${Math.floor(Math.random() * 1e9)}`;
}

/** Command lines of the processes that have a mark. */
function processesWith(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(join('/proc', name, 'cmdline'), 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(mark));
}

/** The processes are told to end before this looks, but that takes the kernel a moment. */
async function expectNoneLeft(mark: string): Promise<void> {
  for (let tries = 0; tries < 500 && processesWith(mark).length > 0; tries++) await wait(20);
  expect(processesWith(mark)).toEqual([]);
}

describeWith(TOOLS, 'A rule that does not end', () => {
  test.each(HOSTS)('is killed when its time is over ($sandbox)', async ({ without }) => {
    const mark = newMark();
    const source = sourcesWith({ MARK: mark });
    const message = await failureOf(install(scratch, 'hangs', { source, without, timeLimit: 1 }));
    expect(message).toContain('make hangs did not end within 1 seconds');
    expect(message).toContain('clusterTools.timeLimit');
    await expectNoneLeft(mark);
  });

  test.each(HOSTS)('is killed when the user has enough ($sandbox)', async ({ without }) => {
    const mark = newMark();
    const controller = new AbortController();
    const installing = install(scratch, 'hangs', {
      ...{ source: sourcesWith({ MARK: mark }), without, signal: controller.signal },
      onOutput: (line) => {
        if (line === 'started') controller.abort();
      },
    });
    await expect(installing).rejects.toBeInstanceOf(DiagnosticError);
    await expect(installing).rejects.toMatchObject({ diagnostics: [{ kind: 'interrupted' }] });
    await expectNoneLeft(mark);
  });

  test.each(HOSTS)('prints as much as it likes: 64 MiB are kept ($sandbox)', async ({ without }) => {
    const message = await failureOf(install(scratch, 'prints_much', { without }));
    expect(message).toContain('  a line of output that never ends\n');
    const log = /in (\S*make\.log)\.$/.exec(message)?.[1] ?? '';
    expect(statSync(log).size).toBeGreaterThan(63 * MIB);
    expect(statSync(log).size).toBeLessThanOrEqual(65 * MIB);
    rmSync(log);
  });

  test('is killed while it prints', async () => {
    const message = await failureOf(install(scratch, 'prints_without_end', { timeLimit: 1 }));
    expect(message).toContain('  a line of output that never ends\n');
    const log = /in (\S*make\.log)\.$/.exec(message)?.[1] ?? '';
    expect(statSync(log).size).toBeLessThanOrEqual(65 * MIB);
    rmSync(log);
  });

  test.each(HOSTS)('finds nothing to read ($sandbox)', async ({ without }) => {
    const { facts } = await install(scratch, 'reads_input', { without, timeLimit: 20 });
    expect(facts).toMatchObject({ added: 0, changed: 0 });
  });

  test.each(HOSTS)('in the background ends with the rule ($sandbox)', async ({ without }) => {
    const mark = newMark();
    const { overlay } = await install(scratch, 'leaves_a_daemon', {
      ...{ source: sourcesWith({ MARK: mark }), without, timeLimit: 20 },
    });
    expect(overlay.get('/etc/done')).toBeDefined();
    await expectNoneLeft(mark);
  });
});

describeWith(TOOLS, 'When ssi-image itself is killed', () => {
  let program = '';
  let child: ChildProcess | undefined;
  beforeAll(() => {
    program = compileInto(join(scratch, 'compiled'));
  });
  afterEach(() => child?.kill('SIGKILL'));

  async function start(mark: string, without: readonly string[]): Promise<void> {
    const work = mkdtempSync(join(scratch, 'work-'));
    child = spawn(process.execPath, [program, sourcesWith({ MARK: mark }), 'hangs', work, ...without], {
      stdio: 'ignore',
    });
    for (let tries = 0; tries < 500 && processesWith(mark).length === 0; tries++) await wait(20);
    expect(processesWith(mark)).not.toEqual([]);
  }

  test.each(HOSTS)('the rule ends too ($sandbox)', async ({ without }) => {
    const mark = newMark();
    await start(mark, without);
    child?.kill('SIGKILL');
    await expectNoneLeft(mark);
  });

  test.each(HOSTS)('or interrupted, the rule ends too ($sandbox)', async ({ without }) => {
    const mark = newMark();
    await start(mark, without);
    child?.kill('SIGINT');
    await expectNoneLeft(mark);
  });
});

describeWith([...TOOLS, 'bash'], 'The sandbox', () => {
  const sandboxes = HOSTS.filter(({ sandbox }) => sandbox !== 'none').flatMap((host) => [
    { ...host, fakeroot: 'with fakeroot' },
    { ...host, without: [...host.without, 'fakeroot'], fakeroot: 'without fakeroot' },
  ]);

  test.each(sandboxes)(
    'keeps the rule from the host and the network ($sandbox, $fakeroot)',
    async ({ without }) => {
      const host = mkdtempSync(join(scratch, 'host-'));
      chmodSync(host, 0o777);
      writeFileSync(join(host, 'secret'), 'secret');
      mkdirSync(join(host, 'folder'));
      const server = createServer((socket) => socket.destroy());
      let connections = 0;
      server.on('connection', () => {
        connections += 1;
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const victim = spawn('sleep', ['1000'], { stdio: 'ignore' });
      const swappiness = readFileSync('/proc/sys/vm/swappiness', 'utf8');
      try {
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : 0;
        const source = sourcesWith({ HOST: host, PORT: `${port}`, PID: `${victim.pid}` });
        const { log, overlay } = await install(scratch, 'escapes', { source, without });
        expect(existsSync(join(log, '../ssi-escaped'))).toBe(false);
        expect(overlay.get('/etc/through-link')).toMatchObject({ type: 'symlink' });
        expect(connections).toBe(0);
        expect(victim.exitCode ?? victim.signalCode).toBe(null);
        expect(readdirSync(host).sort()).toEqual(['folder', 'secret']);
        expect([existsSync('/usr/ssi-escaped'), existsSync('/tmp/ssi-escaped')]).toEqual([false, false]);
        expect(readFileSync('/proc/sys/vm/swappiness', 'utf8')).toBe(swappiness);
      } finally {
        victim.kill('SIGKILL');
        server.close();
        rmSync('/usr/ssi-escaped', { force: true });
        if (readFileSync('/proc/sys/vm/swappiness', 'utf8') !== swappiness)
          writeFileSync('/proc/sys/vm/swappiness', swappiness);
      }
    },
  );
});

describeWith([...TOOLS, 'perl'], 'A rule that leaves odd things', () => {
  test.each(HOSTS)('installs them as they are ($sandbox)', async ({ without }) => {
    const { overlay } = await install(scratch, 'odd_files', { without });
    expect(overlay.get('/etc/new\nline')).toMatchObject({ type: 'file', size: 1 });
    expect(overlay.get('/closed')).toMatchObject({ type: 'directory', mode: 0 });
    expect(overlay.get('/closed/file')).toMatchObject({ type: 'file', mode: 0, size: 1 });
    expect(overlay.get('/dev/log')).toMatchObject({ type: 'socket' });
    expect(overlay.get('/etc/sparse')).toMatchObject({ type: 'file', size: 2 ** 30 });
    expect(overlay.get('/etc/long')).toMatchObject({ type: 'symlink', target: '0'.repeat(4000) });
    expect(overlay.get('/etc/loop')).toMatchObject({ type: 'symlink', target: 'loop' });
  });

  test.each([
    ['huge_file', 'the make rule installed more than 64 GiB'],
    ['deep_folders', 'directories that nest deeper than a path can say'],
    ['meddles_with_state', 'the make rule has meddled with it'],
  ])('that can not be installed gets a message: %s', async (rule, message) => {
    expect(await failureOf(install(scratch, rule))).toContain(message);
  });
});
