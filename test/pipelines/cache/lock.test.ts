import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { acquireLock, sweepLock, sweepLocks, tryLock } from '../../../pipelines/cache/lock.js';
import {
  identityIn,
  nameOf,
  type ProcessIdentity,
  thisProcess,
} from '../../../pipelines/cache/process-identity.js';
import { compiled } from '../../support/compiled.js';
import { withPatchedFs } from '../../support/patched-fs.js';
import { temporaryFolder } from '../../support/temporary.js';

function locks(): { folder: string; path: string } {
  const folder = temporaryFolder();
  return { folder, path: join(folder, 'lock') };
}

/** This process's number, started at another time: so a number that was used again looks. */
const dead: ProcessIdentity = { ...thisProcess, started: '1' };
const ofOtherBoot: ProcessIdentity = { ...thisProcess, boot: '00000000-0000-0000-0000-000000000000' };
const inOtherContainer: ProcessIdentity = { ...thisProcess, namespace: 'pid:[1]' };

test('an identity survives being written down', () => {
  for (const identity of [thisProcess, dead, ofOtherBoot, inOtherContainer])
    expect(identityIn(nameOf(identity))).toEqual(identity);
  for (const name of ['', 'x', '1_2_3', `${nameOf(thisProcess)}_`, `${nameOf(thisProcess)}\n`])
    expect(identityIn(name)).toBeUndefined();
});

test('a second one waits, says so once, and gets the lock when it is free', async () => {
  const { folder, path } = locks();
  const first = await acquireLock(path);
  const onWait = vi.fn();
  let isTaken = false;
  const waiting = acquireLock(path, { onWait }).then((lock) => {
    isTaken = true;
    return lock;
  });
  await sleep(200);
  expect(isTaken).toBe(false);
  expect(onWait.mock.calls).toEqual([[thisProcess]]);
  first.release();
  (await waiting).release();
  expect(readdirSync(folder)).toEqual([]);
});

test('who waits can be interrupted', async () => {
  const { folder, path } = locks();
  const first = await acquireLock(path);
  const controller = new AbortController();
  const waiting = acquireLock(path, { signal: controller.signal });
  setTimeout(() => controller.abort(), 60);
  await expect(waiting).rejects.toThrow('interrupted');
  first.release();
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['of a process that is no more', nameOf(dead)],
  ['of another boot', nameOf(ofOtherBoot)],
  ['damaged', 'not a process'],
  ['empty', ''],
])('a lock %s is taken over at once', async (_name, content) => {
  const { folder, path } = locks();
  writeFileSync(path, content);
  const lock = tryLock(path);
  if (!('release' in lock)) throw new Error('it was not taken over');
  expect(readFileSync(path, 'utf8')).toBe(nameOf(thisProcess));
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('one of another container counts while it shows that it lives', () => {
  const { path } = locks();
  writeFileSync(path, nameOf(inOtherContainer));
  expect(tryLock(path)).toEqual({ holder: inOtherContainer });
  const long = Date.now() / 1000 - 11 * 60;
  utimesSync(path, long, long);
  expect(tryLock(path)).toHaveProperty('release');
});

test("a process that died while it broke a lock is in nobody's way", () => {
  const { folder, path } = locks();
  for (const name of ['lock', 'lock.break', 'lock.break.break'])
    writeFileSync(join(folder, name), nameOf(dead));
  const lock = tryLock(path);
  if (!('release' in lock)) throw new Error('it was not taken over');
  lock.release();
  sweepLock(path);
  expect(readdirSync(folder)).toEqual([]);
});

test('a dead process that is only not waited for holds nothing', async () => {
  const { path } = locks();
  const script = `node -e 'process.kill(process.pid, "SIGSTOP")' & echo $!; exec sleep 60`;
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    await vi.waitFor(() => expect(stateOf(pid).state).toBe('T'), { timeout: 10_000 });
    const { started } = stateOf(pid);
    writeFileSync(path, nameOf({ ...thisProcess, pid, started }));
    expect(tryLock(path)).toHaveProperty('holder');
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(stateOf(pid).state).toBe('Z'), { timeout: 10_000 });
    expect(tryLock(path)).toHaveProperty('release');
  } finally {
    parent.kill('SIGKILL');
  }
});

function stateOf(pid: number): { state: string; started: string } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { state: fields[0] ?? '', started: fields[19] ?? '' };
}

test('sweeping removes what the dead left, and nothing else', () => {
  const { folder } = locks();
  const gone = [
    'a',
    'a.break',
    'b.break',
    `a.${nameOf(dead)}.0011aaff`,
    `a.break.${nameOf(ofOtherBoot)}.0011aaff`,
  ];
  for (const name of gone) writeFileSync(join(folder, name), nameOf(dead));
  const stays = ['live', 'live.break', `live.${nameOf(thisProcess)}.0011aaff`];
  for (const name of stays) writeFileSync(join(folder, name), nameOf(thisProcess));
  sweepLocks(folder);
  expect(readdirSync(folder).sort()).toEqual(stays.sort());
});

test('sweeping beside one lock leaves files of others alone', () => {
  const { folder } = locks();
  const own = ['.out.lock', '.out.lock.break', `.out.lock.${nameOf(dead)}.0011aaff`];
  for (const name of own) writeFileSync(join(folder, name), nameOf(dead));
  const others = ['.out.lock.txt', '.out.locked', 'notes', '.out.lock.break.old'];
  for (const name of others) writeFileSync(join(folder, name), 'text');
  sweepLock(join(folder, '.out.lock'));
  expect(readdirSync(folder).sort()).toEqual(others.sort());
});

test('a lock that was taken by another meanwhile is not released for it', async () => {
  const { path } = locks();
  const lock = await acquireLock(path);
  writeFileSync(path, nameOf(inOtherContainer));
  lock.release();
  expect(readFileSync(path, 'utf8')).toBe(nameOf(inOtherContainer));
});

test("two that find the same dead holder: whoever is between the other's steps, one gets the lock", async () => {
  const { linkSync, rmSync } = await import('node:fs');
  // The other one comes just before the dead lock is removed, or just before the right to remove it is taken.
  for (const moment of ['removal', 'break'] as const) {
    const { folder, path } = locks();
    writeFileSync(path, nameOf(dead));
    const taken: string[] = [];
    let isInside = false;
    const contend = (): void => {
      if (isInside) return;
      isInside = true;
      if ('release' in tryLock(path)) taken.push('other');
    };
    const patches = {
      rmSync: ((...parameters) => {
        if (moment === 'removal' && parameters[0] === path) contend();
        return rmSync(...parameters);
      }) as typeof rmSync,
      linkSync: ((...parameters) => {
        if (moment === 'break' && parameters[1] === `${path}.break`) contend();
        return linkSync(...parameters);
      }) as typeof linkSync,
    };
    await withPatchedFs(patches, () => {
      if ('release' in tryLock(path)) taken.push('this');
    });
    expect(isInside).toBe(true);
    expect(taken, moment).toEqual([moment === 'removal' ? 'this' : 'other']);
    expect(readdirSync(folder)).toEqual(['lock']);
  }
});

const child = compiled('test/pipelines/cache/lock-child.ts');

test.each([
  ['that live', 0],
  ['of which some die', 4],
])('of many processes %s only one at a time has it', async (_name, deaths) => {
  const { folder, path } = locks();
  const work = join(folder, 'work');
  mkdirSync(work);
  writeFileSync(join(work, 'counter'), '0');
  writeFileSync(path, nameOf(dead));
  writeFileSync(`${path}.break`, nameOf(dead));
  const start = (): Promise<unknown> =>
    once(spawn(process.execPath, [child, path, work, '40', `${deaths}`], { stdio: 'inherit' }), 'exit');
  // Each that dies leaves a stale lock, for which the others then contend.
  await Promise.all(Array.from({ length: 8 }, start));
  expect(existsSync(join(work, 'violations'))).toBe(false);
  const done = readFileSync(join(work, 'done'), 'utf8').length;
  expect(readFileSync(join(work, 'counter'), 'utf8')).toBe(`${done}`);
  if (deaths === 0) expect(done).toBe(320);
  sweepLock(path);
  expect(readdirSync(folder)).toEqual(['work']);
});
