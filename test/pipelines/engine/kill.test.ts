import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import { verify } from '../../../pipelines/cache/maintenance.js';
import { Random } from '../../fuzz/random.js';
import { compiled } from '../../support/compiled.js';
import { rounds } from '../../support/rounds.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import { buildIn, leftovers, outputsIn } from './build-rig.js';
import { samplePipeline, writeSampleInputs } from './sample-pipeline.js';

const program = compiled('test/pipelines/engine/build-child.ts');

/** More in the long runs: KILL_ROUNDS=200. */
const roundCount = rounds(10, 40, 'KILL_ROUNDS');

/** Runs a build, kills it after a while if it is not done by then, and returns whether it was killed. */
async function killedBuild(parameters: readonly string[], delay: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  // Before that there is nothing to break.
  await once(child.stdout, 'data');
  await Promise.race([sleep(delay), exit]);
  child.kill('SIGKILL');
  const [, signal] = (await exit) as [number | null, string | null];
  return signal === 'SIGKILL';
}

async function cleanOutputs(greeting: string): Promise<Record<string, string>> {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  await buildIn(folder, samplePipeline(folder, 0, greeting));
  return outputsIn(folder);
}

test(`a build killed at ${roundCount} random moments: never a wrong output, nothing left behind`, async () => {
  const random = new Random(20_240_501);
  const expected = new Map<string, Record<string, string>>();
  for (const greeting of ['a', 'b']) expected.set(greeting, await cleanOutputs(greeting));
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  let killed = 0;
  let old = 'none';
  for (let round = 0; round < roundCount; round++) {
    const greeting = random.pick(['a', 'b']);
    // Sometimes from nothing, sometimes with the cache of before, sometimes with outputs of before.
    if (random.below(3) === 0) rmSync(join(folder, 'cache'), { recursive: true, force: true });
    if (random.below(3) === 0) {
      rmSync(join(folder, 'out'), { recursive: true, force: true });
      old = 'none';
    }
    const notes = `notes of round ${round}`;
    if (old !== 'none') writeFileSync(join(folder, 'out/notes'), notes);
    for (let kills = 1 + random.below(3); kills > 0; kills--) {
      const delay = random.below(random.pick([60, 250]));
      if (await killedBuild([folder, `${random.pick([0, 2, 8])}`, 'out', greeting], delay)) killed += 1;
    }
    await buildIn(folder, samplePipeline(folder, 0, greeting));
    const { notes: kept, ...outputs } = outputsIn(folder);
    expect(outputs, `round ${round}`).toEqual(expected.get(greeting));
    if (old !== 'none') expect(kept).toBe(notes);
    rmSync(join(folder, 'out/notes'), { force: true });
    old = greeting;
    expect(leftovers(folder), `round ${round}`).toEqual([]);
    run('sh', ['-c', 'cd "$1" && sha256sum -c --quiet SHA256SUMS', 'sh', join(folder, 'out')]);
  }
  expect(killed).toBeGreaterThan(roundCount / 3);
  const { bad, incomplete } = await verify(Cache.open(join(folder, 'cache')), new Pace());
  expect({ bad, incomplete }).toEqual({ bad: [], incomplete: 0 });
}, 600_000);

/** One system call of a trace: its name, its arguments, and the paths in them. */
interface Call {
  readonly name: string;
  readonly paths: readonly string[];
}

/** Calls that ended well, in the order of their ends. */
function callsIn(trace: string): Call[] {
  const pending = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of trace.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const text = resumed === null ? rest : `${pending.get(pid)}${resumed[1]}`;
    if (text.endsWith('<unfinished ...>')) {
      pending.set(pid, text.replace('<unfinished ...>', ''));
      continue;
    }
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name === undefined || !/= 0$/.test(text)) continue;
    calls.push({ name, paths: [...text.matchAll(/[<"](\/[^>"]*)[>"]/g)].map((match) => match[1] ?? '') });
  }
  return calls;
}

testWith(['strace'], 'what is stored is written aside, flushed, renamed; the record comes last', () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  const log = join(folder, 'trace');
  const calls = 'trace=fsync,fdatasync,rename,renameat,renameat2';
  run('strace', ['-f', '-y', '-e', calls, '-o', log, process.execPath, program, folder], {
    env: { UV_USE_IO_URING: '0' },
  });
  const flushed = new Set<string>();
  const stored = new Set<string>();
  let records = 0;
  for (const { name, paths } of callsIn(readFileSync(log, 'utf8'))) {
    const [from = '', to = ''] = paths;
    if (name.endsWith('sync')) flushed.add(from);
    const entry = /cache\/(ac|cas)\/([0-9a-f]{64})$/.exec(to);
    if (!name.startsWith('rename') || entry === null) continue;
    expect(from).toContain('/cache/tmp/');
    expect(flushed, `${from} was not flushed`).toContain(from);
    if (entry[1] === 'cas') {
      stored.add(entry[2] ?? '');
      continue;
    }
    records += 1;
    const record = JSON.parse(readFileSync(to, 'utf8').split('\n')[1] ?? '') as {
      artifacts: Record<string, { sha256: string; stored: boolean }>;
      references: string[];
    };
    const needed = Object.values(record.artifacts).filter((artifact) => artifact.stored);
    for (const sha256 of [...needed.map((artifact) => artifact.sha256), ...record.references])
      expect(stored, `${to} names ${sha256}`).toContain(sha256);
  }
  expect(records).toBe(7);
});

test('a build with nothing to do reads next to nothing', async () => {
  const folder = temporaryFolder();
  writeSampleInputs(folder);
  // Large enough to show: an input and an output.
  writeFileSync(join(folder, 'base'), Buffer.alloc(24 * 1024 * 1024, 'base'));
  const build = (): { read: number; unchanged: boolean } =>
    JSON.parse(run('node', [program, folder]).split('\n')[1] ?? '') as { read: number; unchanged: boolean };
  expect(build().read).toBeGreaterThan(24 * 1024 * 1024);
  expect(statSync(join(folder, 'out/base')).size).toBeGreaterThan(24 * 1024 * 1024);
  for (let round = 0; round < 3; round++) {
    const { read, unchanged } = build();
    expect(unchanged).toBe(true);
    expect(read).toBeLessThan(1024 * 1024);
  }
});
