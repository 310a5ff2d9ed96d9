import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { download } from '../../../pipelines/download/download.js';
import { FaultyServer, file, status } from './faulty-server.js';

import {
  body,
  etag,
  expectFile,
  failure,
  faults,
  folder,
  get,
  half,
  interrupted,
  messageOf,
  pauses,
  server,
  starts,
} from './rig.js';

describe('a connection that breaks', () => {
  test('is resumed where it broke, and nothing is served twice', async () => {
    const url = server.on('/a', file(body, { etag, dropAfter: half }), file(body, { etag }));
    const { resumedFrom } = await get(url);
    expectFile(body);
    expect(resumedFrom).toBe(0);
    const [, second = 0] = starts();
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThanOrEqual(half);
    expect(server.seen[1]?.headers['if-range']).toBe(etag);
    expect(server.seen.map(({ served }) => served)).toEqual([half, body.length - second]);
    expect(faults).toHaveLength(1);
    expect(pauses[0]).toBeGreaterThanOrEqual(500);
    expect(pauses[0]).toBeLessThanOrEqual(1000);
  });

  test('before the announced end is noticed, and what came is kept', async () => {
    const url = server.on('/a', file(body, { etag, announceMore: 10 }));
    expect(await messageOf(get(url, undefined, { retries: 1 }))).toContain('cannot download http');
    expect(starts()[1]).toBeGreaterThan(0);
  });

  test('is tried again only so often, with longer pauses', async () => {
    const url = server.on('/a', file(body, { etag, dropAfter: 1000 }));
    await failure(get(url, undefined, { retries: 4 }));
    expect(server.seen).toHaveLength(5);
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(500 * 2 ** index);
      expect(pause).toBeLessThanOrEqual(1000 * 2 ** index);
    }
  });

  test('every few MiB does not use up the patience', async () => {
    const large = randomBytes(20_000_000);
    const url = server.on('/a', file(large, { etag, dropAfter: 2_000_000 }));
    await get(url, large, { retries: 1 });
    expectFile(large);
    expect(server.seen.length).toBeGreaterThan(8);
  });

  test('again and again without getting on ends', async () => {
    const url = server.on('/a', file(randomBytes(5_000_000), { dropAfter: 2_000_000, ignoreRange: true }));
    await failure(get(url, undefined, { retries: 2 }));
    expect(server.seen.length).toBeLessThan(6);
  });

  test('that cannot be made is tried again, then the next URL', async () => {
    const gone = new FaultyServer();
    await gone.start();
    const dead = gone.on('/a');
    await gone.stop();
    const live = server.on('/a', file(body));
    const { url } = await get([dead, live], body, { retries: 1 });
    expect(url).toBe(live);
    expect(faults.map(({ message }) => message)).toEqual(
      Array(2).fill(`cannot download ${dead}: the connection was refused (ECONNREFUSED)`),
    );
  });

  test('that stalls is given up and resumed', async () => {
    const url = server.on('/a', file(body, { etag, stallAfter: half }), file(body, { etag }));
    await get(url, body, { timeouts: { idle: 100 } });
    expectFile(body);
    expect(starts()).toEqual([0, half]);
    expect(faults[0]?.message).toContain('nothing came from the server for 0.1 s');
  });

  test('that never answers is given up', async () => {
    const url = server.on('/a', () => {});
    expect(await messageOf(get(url, undefined, { timeouts: { response: 100 }, retries: 1 }))).toContain(
      '0.1 s',
    );
    expect(server.seen).toHaveLength(2);
  });

  test('that is slow but never silent has all the time it needs', async () => {
    const url = server.on('/a', file(body.subarray(0, 10_000), { slowly: [500, 30] }));
    await get(url, undefined, { timeouts: { idle: 250, response: 250 } });
    expectFile(body.subarray(0, 10_000));
    expect(faults).toEqual([]);
  });
});

describe('resuming in a later run', () => {
  const dropped = { etag, dropAfter: half };

  test('asks for the rest only', async () => {
    const url = server.on('/a', file(body, dropped));
    const kept = await interrupted(url);
    server.on('/a', file(body, { etag }));
    expect((await get(url)).resumedFrom).toBe(kept);
    expectFile(body);
    expect(server.seen.map(({ served }) => served)).toEqual([body.length - kept]);
  });

  test('works by Last-Modified where there is no ETag', async () => {
    const lastModified = 'Mon, 01 Jul 2002 10:00:00 GMT';
    const url = server.on('/a', file(body, { lastModified, dropAfter: half }));
    const kept = await interrupted(url);
    server.on('/a', file(body, { lastModified }));
    expect((await get(url)).resumedFrom).toBe(kept);
    expect(server.seen[0]?.headers['if-range']).toBe(lastModified);
    expectFile(body);
  });

  test.each([
    ['without a validator', {}],
    ['with a weak ETag', { etag: 'W/"v1"' }],
    ['with a file of this second', { lastModified: new Date(Date.now() + 60_000).toUTCString() }],
  ])('%s needs a pinned digest', async (_name, validators) => {
    const url = server.on('/a', file(body, { ...validators, dropAfter: half }));
    const kept = await interrupted(url);
    server.on('/a', file(body, { ...validators, dropAfter: half }), file(body, validators));
    await get(url, body);
    expect(starts().slice(0, 1)).toEqual([kept]);
    expectFile(body);
  });

  test('without a validator or a digest begins again', async () => {
    const url = server.on('/a', file(body, { dropAfter: half }));
    await interrupted(url);
    server.on('/a', file(body));
    expect((await get(url)).resumedFrom).toBe(0);
    expect(server.ranges).toEqual([undefined]);
    expectFile(body);
  });

  test('begins again when the file has changed', async () => {
    const url = server.on('/a', file(body, dropped));
    await interrupted(url);
    const changed = randomBytes(body.length);
    server.on('/a', file(changed, { etag: '"v2"' }));
    expect((await get(url)).resumedFrom).toBe(0);
    expectFile(changed);
  });

  test.each([
    ['the ETag', { etag: '"v2"', ignoreIfRange: true }, 0],
    ['the length', { ignoreIfRange: true }, 17],
  ])('sees by %s that a file has changed where If-Range is ignored', async (_name, validators, more) => {
    const url = server.on('/a', file(body, dropped));
    await interrupted(url);
    const changed = randomBytes(body.length + more);
    server.on('/a', file(changed, validators));
    await get(url);
    expectFile(changed);
    expect(faults[0]?.message).toContain('the file has changed on the server');
  });

  test('begins again when the server ignores the range', async () => {
    const url = server.on('/a', file(body, dropped));
    await interrupted(url);
    server.on('/a', file(body, { etag, ignoreRange: true }));
    expect((await get(url)).resumedFrom).toBe(0);
    expectFile(body);
  });

  test.each([
    ['of another place', (start: number) => `bytes 0-${start - 1}/${body.length}`],
    ['beyond the end', (start: number) => `bytes ${start}-${body.length}/${body.length}`],
    ['of another length', (start: number) => `bytes ${start}-${start + 10}/${body.length}`],
    ['of another file', (start: number) => `bytes ${start}-${body.length - 1}/${body.length + 1}`],
    ['that makes no sense', () => 'lines 1-2/3'],
  ])('refuses a Content-Range %s', async (_name, contentRange) => {
    const url = server.on('/a', file(body, dropped));
    const kept = await interrupted(url);
    server.on('/a', file(body, { etag, contentRange }), file(body, { etag }));
    await get(url);
    expectFile(body);
    expect(starts()).toEqual([kept, 0]);
    expect(faults).toHaveLength(1);
  });

  test('refuses a part that nobody asked for', async () => {
    const url = server.on('/a', status(206, { 'content-range': 'bytes 0-9/10' }));
    expect(await messageOf(get(url))).toContain('without being asked');
  });

  test('begins again after 416, and takes what is complete already', async () => {
    const url = server.on('/a', file(body, dropped));
    const kept = await interrupted(url);
    const shorter = body.subarray(0, 1000);
    server.on('/a', file(shorter, { etag }));
    await get(url);
    expectFile(shorter);
    expect(starts()).toEqual([kept, 0]);
  });

  test('asks nobody when the bytes are complete and right', async () => {
    const url = server.on('/a', file(body, { etag }));
    // An answer that goes on and on shows when all of the file is there.
    server.on('/a', file(Buffer.concat([body, body]), { etag, stallAfter: body.length }));
    await failure(get(url, undefined, { retries: 0 }));
    server.seen.length = 0;
    expect(await get(url, body, { offline: true })).toMatchObject({ resumedFrom: body.length });
    expect(server.seen).toEqual([]);
    expectFile(body);
  });

  test.each([
    ['a changed byte', (path: string) => changeFile(path, (bytes) => bytes.fill(bytes[7]! ^ 1, 7, 8))],
    ['a lost end', (path: string) => changeFile(path, (bytes) => bytes.subarray(0, 1000))],
    ['a lost sidecar', (path: string) => changeFile(`${path}.json`, () => Buffer.alloc(0))],
    ['a sidecar that is no JSON', (path: string) => changeFile(`${path}.json`, () => Buffer.from('[[['))],
    [
      'a sidecar with other keys',
      (path: string) => changeFile(`${path}.json`, () => Buffer.from('{"version":1}')),
    ],
    [
      'an ETag with a line end',
      (path: string) =>
        changeFile(`${path}.json`, (bytes) => Buffer.from(bytes.toString().replace('v1', 'v1\\r\\nX: y'))),
    ],
    ['a huge sidecar', (path: string) => changeFile(`${path}.json`, () => Buffer.alloc(100_000, ' '))],
  ])('trusts no partial file with %s', async (_name, damage) => {
    const url = server.on('/a', file(body, dropped));
    await interrupted(url);
    damage(join(folder, 'partial'));
    server.on('/a', file(body, { etag }));
    expect((await get(url)).resumedFrom).toBe(0);
    expectFile(body);
  });

  test('does not use bytes behind what the sidecar vouches for', async () => {
    const url = server.on('/a', file(body, dropped));
    const kept = await interrupted(url);
    changeFile(join(folder, 'partial'), (bytes) => Buffer.concat([bytes, randomBytes(400_000)]));
    server.on('/a', file(body, { etag }));
    expect((await get(url)).resumedFrom).toBe(kept);
    expectFile(body);
  });
});

function changeFile(path: string, change: (bytes: Buffer) => Uint8Array): void {
  writeFileSync(path, change(readFileSync(path)));
}

describe('an interruption', () => {
  test('keeps what came, and the next run goes on there', async () => {
    const url = server.on('/a', file(body, { etag, slowly: [10_000, 5] }));
    const controller = new AbortController();
    const reason = await failure(
      get(url, undefined, {
        signal: controller.signal,
        onProgress: ({ received }) => {
          if (received > 100_000) controller.abort();
        },
      }),
    );
    expect(reason.map(({ kind }) => kind)).toEqual(['interrupted']);
    const kept = statSync(join(folder, 'partial')).size;
    expect(kept).toBeGreaterThan(100_000);
    server.seen.length = 0;
    expect((await get(url)).resumedFrom).toBe(kept);
    expect(server.seen.map(({ served }) => served)).toEqual([body.length - kept]);
    expectFile(body);
  });

  test('ends a pause, and a request without an answer', async () => {
    for (const answer of [status(503), () => {}]) {
      const url = server.on('/a', answer);
      const signal = AbortSignal.timeout(100);
      const options = {
        destination: join(folder, 'file'),
        partial: join(folder, 'partial'),
        signal,
      };
      const reason = await failure(download({ urls: [url] }, options));
      expect(reason.map(({ kind }) => kind)).toEqual(['interrupted']);
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});
