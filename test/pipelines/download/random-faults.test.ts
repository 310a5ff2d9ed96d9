import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { download } from '../../../pipelines/download/download.js';
import { Random } from '../../fuzz/random.js';
import { temporaryFolder } from '../../support/temporary.js';
import { type Answer, FaultyServer, type FileFaults, file, status, tooMuch } from './faulty-server.js';

/** Each is a server's life of up to a dozen requests; set RANDOM_FAULTS for more. */
const SEQUENCES = Number(process.env.RANDOM_FAULTS ?? 150);

const top = temporaryFolder();
const server = new FaultyServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

/** A file as a server has it: bytes and the validators that go with them. */
interface Version {
  readonly body: Buffer;
  readonly validators: FileFaults;
}

function versionOf(random: Random, number: number): Version {
  const body = Buffer.alloc(1 + random.below(200_000), `version ${number} ${random.below(1e9)} `);
  body.fill(0, random.below(body.length), random.below(body.length));
  const validators = random.pick<FileFaults>([
    { etag: `"v${number}"` },
    { etag: `"v${number}"` },
    { lastModified: new Date(1_000_000_000_000 + number * 60_000).toUTCString() },
    { etag: `W/"v${number}"` },
    {},
  ]);
  return { body, validators };
}

/** One answer, more often wrong than right. Its lies are those that can be seen without a digest. */
function answerOf(random: Random, { body, validators }: Version): Answer {
  const somewhere = random.below(body.length);
  const wrongRange = (): string => `bytes ${random.below(body.length)}-${body.length - 1}/${body.length}`;
  return random.pick<() => Answer>([
    () => file(body, validators),
    () => file(body, { ...validators, dropAfter: somewhere }),
    () => file(body, { ...validators, dropAfter: somewhere, ignoreRange: true }),
    () => file(body, { ...validators, dropAfter: somewhere, slowly: [20_000, 1] }),
    () => file(body, { ...validators, stallAfter: somewhere }),
    () => file(body, { ...validators, announceMore: 1 + random.below(1000) }),
    () => file(body, { ...validators, chunked: true, dropAfter: somewhere }),
    () => file(body, { ...validators, contentRange: wrongRange }),
    () => file(body, { ...validators, headers: { 'content-encoding': 'gzip' } }),
    () => tooMuch(body, Math.floor(somewhere / 2)),
    () => status(random.pick([404, 416, 500, 503, 206, 204, 302]), { 'retry-after': '1' }),
  ])();
}

/** What may happen to the files between two runs. */
function meddle(random: Random, partial: string): void {
  const path = random.pick([partial, `${partial}.json`]);
  if (!existsSync(path)) return;
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const at = random.below(bytes.length);
  const change = random.pick([
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes, Buffer.from('rubbish')]),
    () => bytes.fill(bytes[at]! ^ 0x20, at, at + 1),
  ]);
  writeFileSync(path, change());
}

/** Several runs of one download, with faults, aborts and meddling. Returns how many runs it took, or 0 for never. */
async function runSequence(seed: number): Promise<number> {
  const random = new Random(seed);
  const folder = join(top, `${seed}`);
  mkdirSync(folder);
  const [destination, partial] = [join(folder, 'file'), join(folder, 'partial')];
  const versions = [versionOf(random, 0)];
  const pinned = random.below(3) === 0;
  const mirrors = 1 + random.below(2);
  for (let run = 1; run <= 6; run++) {
    if (!pinned && random.below(5) === 0) versions.push(versionOf(random, versions.length));
    if (random.below(5) === 0) meddle(random, partial);
    const version = versions.at(-1)!;
    const urls = Array.from({ length: mirrors }, (_, mirror) =>
      server.on(
        `/${seed}/${mirror}`,
        ...Array.from({ length: 1 + random.below(4) }, () => answerOf(random, random.pick(versions))),
      ),
    );
    const controller = new AbortController();
    const abortAt = random.below(4) === 0 ? random.below(version.body.length) : Number.POSITIVE_INFINITY;
    try {
      const done = await download(
        { urls, sha256: pinned ? sha256(version.body) : undefined },
        {
          destination,
          partial,
          signal: controller.signal,
          sleep: async () => {},
          retries: 2,
          timeouts: { response: 2000, idle: 40 },
          onProgress: ({ received }) => {
            if (received >= abortAt) controller.abort();
          },
        },
      );
      const bytes = readFileSync(destination);
      const right = versions.some(({ body }) => body.equals(bytes));
      expect(right, `seed ${seed}: wrong bytes after ${run} runs`).toBe(true);
      expect(done).toMatchObject({ sha256: sha256(bytes), size: bytes.length });
      expect(readdirSync(folder)).toEqual(['file']);
      return run;
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      expect(existsSync(destination), `seed ${seed}: a file in spite of an error`).toBe(false);
      expect(['partial', 'partial.json']).toEqual(expect.arrayContaining(readdirSync(folder)));
    }
  }
  return 0;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('whatever a server does, the result is the right bytes or an error', async () => {
  const ends: number[] = [];
  for (let seed = 1; seed <= SEQUENCES; seed += 10)
    ends.push(...(await Promise.all(Array.from({ length: 10 }, (_, index) => runSequence(seed + index)))));
  // Both ends must be reached, or this shows nothing.
  expect(ends.filter((runs) => runs > 0).length).toBeGreaterThan(ends.length / 2);
  expect(ends.filter((runs) => runs > 2).length).toBeGreaterThan(5);
});
