import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { download } from '../../../pipelines/download/download.js';
import { temporaryFolder } from '../../support/temporary.js';
import { testWith, tool } from '../../support/tools.js';
import { compiled } from './compiled.js';
import { FaultyServer, file } from './faulty-server.js';

const top = temporaryFolder();
const server = new FaultyServer();
const children = new Set<ChildProcess>();
let program: string;

beforeAll(async () => {
  await server.start();
  const folder = join(top, 'program');
  mkdirSync(folder);
  const module = compiled('pipelines/download/download.ts', folder);
  program = join(folder, 'main.js');
  writeFileSync(
    program,
    `import { download } from ${JSON.stringify(module)};
const [url, destination, partial] = process.argv.slice(2);
try {
  console.log((await download({ urls: [url] }, { destination, partial })).sha256);
} catch (error) {
  console.log(JSON.stringify(error.diagnostics));
  process.exitCode = 1;
}
`,
  );
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});
afterAll(() => server.stop());

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function start(command: string, args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  let output = '';
  child.stdout?.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal, output });
    });
  });
  return { child, ended };
}

/** Bytes that a sidecar vouches for; 0 as long as it does not. */
function vouchedFor(sidecar: string): number {
  try {
    const { length } = JSON.parse(readFileSync(sidecar, 'utf8')) as { length: number };
    return length;
  } catch {
    return 0;
  }
}

test('a download that was killed goes on from its last checkpoint', async () => {
  const folder = join(top, 'killed');
  mkdirSync(folder);
  const [destination, partial] = [join(folder, 'file'), join(folder, 'partial')];
  const body = randomBytes(3_000_000);
  const url = server.on('/killed', file(body, { etag: '"v1"', slowly: [10_000, 20] }));
  const { child, ended } = start(process.execPath, [program, url, destination, partial]);
  while (vouchedFor(`${partial}.json`) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
  const kept = vouchedFor(`${partial}.json`);
  expect(readdirSync(folder)).not.toContain('file');
  expect(readFileSync(partial).subarray(0, kept).equals(body.subarray(0, kept))).toBe(true);

  server.seen.length = 0;
  server.on('/killed', file(body, { etag: '"v1"' }));
  const { resumedFrom } = await download({ urls: [url] }, { destination, partial });
  expect(resumedFrom).toBe(kept);
  expect(server.seen.map(({ served }) => served)).toEqual([body.length - kept]);
  expect(readFileSync(destination).equals(body)).toBe(true);
  expect(readdirSync(folder)).toEqual(['file']);
});

testWith(
  ['bwrap'],
  'a full disk ends it with the path and what to do, and is no reason to ask again',
  async () => {
    const folder = join(top, 'full');
    mkdirSync(folder);
    const url = server.on('/full', file(randomBytes(4_000_000)));
    server.seen.length = 0;
    const { ended } = start(tool('bwrap'), [
      ...[
        '--die-with-parent',
        '--bind',
        '/',
        '/',
        '--dev-bind',
        '/dev',
        '/dev',
        '--size',
        `${1024 * 1024}`,
        '--tmpfs',
        folder,
      ],
      ...[process.execPath, program, url, join(folder, 'file'), join(folder, 'partial')],
    ]);
    const { code, output } = await ended;
    expect(JSON.parse(output)).toEqual([
      {
        kind: 'host',
        message: `cannot download ${url}: no space left on the device`,
        hint: expect.stringContaining('Free some space'),
        location: { file: join(folder, 'partial') },
      },
    ]);
    expect(code).toBe(1);
    expect(server.seen).toHaveLength(1);
  },
);
