import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect } from 'vitest';
import { type Diagnostic, DiagnosticError } from '../../../images/diagnostic.js';
import { type Downloaded, type DownloadOptions, download } from '../../../pipelines/download/download.js';
import { temporaryFolder } from '../../support/temporary.js';
import { FaultyServer } from './faulty-server.js';

const top = temporaryFolder();
export const body = randomBytes(300_000);
export const etag = '"v1"';
export const half = 150_000;

export let server: FaultyServer;
export let folder: string;
export let faults: Diagnostic[];
export let pauses: number[];
let count = 0;

beforeEach(async () => {
  folder = join(top, `${count++}`);
  mkdirSync(folder);
  faults = [];
  pauses = [];
  server = new FaultyServer();
  await server.start();
  return () => server.stop();
});

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export function get(
  urls: string | string[],
  pinned?: Buffer,
  options: Partial<DownloadOptions> = {},
): Promise<Downloaded> {
  return download(
    { urls: [urls].flat(), sha256: pinned === undefined ? undefined : sha256(pinned) },
    {
      destination: join(folder, 'file'),
      partial: join(folder, 'partial'),
      onFault: (fault) => faults.push(fault),
      sleep: async (milliseconds) => {
        pauses.push(milliseconds);
      },
      timeouts: { response: 2000, idle: 300 },
      ...options,
    },
  );
}

/** What a failed download says. */
export async function failure(promise: Promise<unknown>): Promise<Diagnostic[]> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    expect(existsSync(join(folder, 'file'))).toBe(false);
    for (const { kind, hint } of error.diagnostics) {
      if (kind === 'host') expect(hint).toMatch(/\.$/);
      else expect(kind).toBe('interrupted');
    }
    return [...error.diagnostics];
  }
  throw new Error('the download did not fail');
}

export async function messageOf(promise: Promise<unknown>): Promise<string> {
  return (await failure(promise)).map(({ message }) => message).join('\n');
}

export function expectFile(expected: Buffer): void {
  expect(readFileSync(join(folder, 'file')).equals(expected)).toBe(true);
  expect(readdirSync(folder)).toEqual(['file']);
}

/** A run that fails on the way and leaves what came behind: so many bytes. */
export async function interrupted(url: string): Promise<number> {
  expect(await messageOf(get(url, undefined, { retries: 0 }))).toMatch(/ended|broke|nothing came/);
  expect(readdirSync(folder).sort()).toEqual(['partial', 'partial.json']);
  server.seen.length = 0;
  const kept = statSync(join(folder, 'partial')).size;
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThanOrEqual(half);
  return kept;
}

/** Where the requests so far wanted to begin. */
export function starts(): number[] {
  return server.ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]));
}
