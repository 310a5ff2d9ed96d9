import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../../images/diagnostic.js';
import { type DownloadProgress, download } from '../../../pipelines/download/download.js';
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
  server,
  sha256,
  starts,
} from './rig.js';

describe('a server that behaves', () => {
  test('gives the file, its digest and length', async () => {
    const url = server.on('/a', file(body, { etag }));
    expect(await get(url, body)).toEqual({ sha256: sha256(body), size: body.length, url, resumedFrom: 0 });
    expectFile(body);
    expect(server.seen[0]?.headers['accept-encoding']).toBe('identity');
    expect(server.seen[0]?.headers['user-agent']).toBe('ssi-images');
  });

  test('need not say a length', async () => {
    await get(server.on('/a', file(body, { chunked: true })));
    expectFile(body);
  });

  test('may have an empty file', async () => {
    const nothing = Buffer.alloc(0);
    expect(await get(server.on('/a', file(nothing)), nothing)).toMatchObject({ size: 0 });
    expectFile(nothing);
  });

  test('may send zeros, which become holes', async () => {
    const sparse = Buffer.concat([Buffer.alloc(9_000_000), body, Buffer.alloc(9_000_001)]);
    await get(server.on('/a', file(sparse)), sparse);
    expectFile(sparse);
    expect(statSync(join(folder, 'file')).blocks * 512).toBeLessThan(1_000_000);
  });

  test('may redirect, and its credentials stay with its host', async () => {
    const other = new FaultyServer();
    await other.start();
    const url = server.on('/a', status(302, { location: '/b' }));
    server.on('/b', status(307, { location: other.on('/c', file(body)) }));
    const shown = url.replace('//', '//***@');
    const result = await get(url.replace('//', '//me:hidden%21@'), body);
    expect(result.url).toBe(shown);
    const basic = `Basic ${Buffer.from('me:hidden!').toString('base64')}`;
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([basic, basic]);
    expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await other.stop();
  });
});

describe('a wrong digest', () => {
  test('is shown with the pinned one, and the file goes', async () => {
    const url = server.on('/a', file(randomBytes(1000)));
    const [wrong] = await failure(get(url, body));
    expect(wrong?.message).toBe(`cannot download ${url}: its SHA-256 is not the pinned one`);
    expect(wrong?.excerpt?.join()).toContain(sha256(body));
    expect(wrong?.excerpt?.join()).toMatch(/received: [0-9a-f]{64} \(1000 bytes\)/);
    expect(readdirSync(folder)).toEqual([]);
    expect(server.seen).toHaveLength(1);
  });

  test('is reported, and the next URL tried', async () => {
    const urls = [server.on('/a', file(randomBytes(1000))), server.on('/b', file(body))];
    expect((await get(urls, body)).url).toBe(urls[1]);
    expect(faults[0]?.message).toContain(`${urls[0]}: its SHA-256`);
    expectFile(body);
  });

  test('of pieces is no proof: the file is fetched whole once more', async () => {
    const other = server.on('/a', file(randomBytes(body.length), { dropAfter: half }));
    const kept = await interrupted(other);
    const url = server.on('/a', file(body));
    await get(url, body);
    expectFile(body);
    expect(starts()).toEqual([kept, 0]);
  });

  test('that cannot be one is refused at once', async () => {
    const url = server.on('/a', file(body));
    const request = { urls: [url], sha256: 'abc' };
    const options = { destination: join(folder, 'file'), partial: join(folder, 'partial') };
    expect(await messageOf(download(request, options))).toContain('64 hexadecimal digits');
    expect((await get(url, body)).size).toBe(body.length);
  });
});

describe('mirrors', () => {
  test('go on where another left off when the digest is pinned', async () => {
    const urls = [
      server.on('/a', file(body, { etag, dropAfter: half }), status(404)),
      server.on('/b', file(body, { etag: '"other"' })),
    ];
    await get(urls, body);
    const [, second, third] = starts();
    expect(second).toBeGreaterThan(0);
    expect(third).toBe(second);
    expect(server.seen[2]?.headers['if-range']).toBeUndefined();
    expectFile(body);
  });

  test('begin again when it is not', async () => {
    const mirror = randomBytes(body.length);
    const urls = [
      server.on('/a', file(body, { etag, dropAfter: half }), status(404)),
      server.on('/b', file(mirror, { etag })),
    ];
    await get(urls);
    expect(server.ranges[2]).toBeUndefined();
    expectFile(mirror);
  });

  test('whose bytes were mixed under a digest are not resumed without one', async () => {
    const urls = [
      server.on('/a', file(randomBytes(body.length), { etag, dropAfter: 1000 }), status(404)),
      server.on('/b', file(body, { etag, dropAfter: half }), status(404)),
    ];
    await failure(get(urls, body, { retries: 1 }));
    server.seen.length = 0;
    server.on('/b', file(body, { etag }));
    await get(urls[1]!);
    expect(server.ranges).toEqual([undefined]);
    expectFile(body);
  });
});

describe('this host', () => {
  test('has files to copy from', async () => {
    const source = join(folder, 'source ü#.img');
    writeFileSync(source, body);
    const url = pathToFileURL(source).href;
    const seen: DownloadProgress[] = [];
    const done = await get([`${url}.missing`, url], body, { offline: true, onProgress: (p) => seen.push(p) });
    expect(done).toMatchObject({ size: body.length, url });
    expect(faults[0]?.message).toContain('no such file');
    expect(seen.at(-1)).toEqual({ received: body.length, total: body.length, url });
    expect(readFileSync(join(folder, 'file')).equals(body)).toBe(true);
    expect(existsSync(source)).toBe(true);
  });

  test.each([
    'file:///etc',
    'file:///dev/zero',
    'file://other/etc/passwd',
    'file:///a%2fb',
    'file:///nothing/here',
  ])('%s is no file to copy from', async (url) => {
    expect(await messageOf(get(url))).toContain(`cannot download ${url}: `);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is not left when offline', async () => {
    const url = server.on('/a', file(body));
    const [offline] = await failure(get(url.replace('//', '//me:hidden@'), body, { offline: true }));
    expect(offline?.message).toContain(
      `cannot download ${url.replace('//', '//***@')}: this needs the network`,
    );
    expect(offline?.hint).toMatch(/without --offline.*--set/);
    expect(server.seen).toEqual([]);
  });

  test('keeps a file that is there already', async () => {
    writeFileSync(join(folder, 'file'), 'mine');
    await expect(get(server.on('/a', file(body)))).rejects.toThrow('it exists already');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('mine');
    expect(server.seen).toEqual([]);
  });

  test('says which path it cannot write', async () => {
    const partial = join(folder, 'missing', 'partial');
    const [diagnostic] = await failure(get(server.on('/a', file(body)), body, { partial }));
    expect(diagnostic).toMatchObject({ location: { file: partial } });
    expect(diagnostic?.message).toContain('no such file or directory');
  });

  test.each(['', 'no url', 'ftp://host/a', 'me:hidden@host', 'http://me:hidden@ho st/'])(
    'refuses %j',
    async (url) => {
      const message = await messageOf(get(url));
      expect(message).toContain('not an http:, https: or file: URL');
      expect(message).not.toContain('hidden');
    },
  );

  test.each([
    ['/proc/nothing/file', 'no such file or directory'],
    ['/dev/file', /another filesystem|permission denied/],
  ])('sees at once that the file cannot get to %s', async (destination, reason) => {
    expect(await messageOf(get(server.on('/a', file(body)), body, { destination }))).toMatch(reason);
    expect(server.seen).toEqual([]);
  });

  test('refuses to download from nowhere', async () => {
    expect(await messageOf(get([]))).toContain('no URL');
  });
});

test('progress comes ten times a second at most, and at the end', async () => {
  const url = server.on('/a', file(body, { slowly: [3000, 4] }));
  const seen: { readonly time: number; readonly received: number }[] = [];
  await get(url, body, { onProgress: ({ received }) => seen.push({ time: performance.now(), received }) });
  expect(seen.at(-1)?.received).toBe(body.length);
  for (const [index, { time }] of seen.slice(1, -1).entries())
    expect(time - seen[index]!.time).toBeGreaterThan(99);
  expect(seen.length).toBeGreaterThan(2);
});

test('no password is in any message, result, progress or file', async () => {
  const shown: unknown[] = [];
  const hide = (url: string): string => url.replace('//', '//me:hidden@');
  const url = hide(server.on('/a', file(body, { etag, dropAfter: half }), status(500), status(404)));
  const options = {
    onProgress: (p: DownloadProgress) => shown.push(p),
    onFault: (f: Diagnostic) => shown.push(f),
  };
  shown.push(await failure(get(url, undefined, options)));
  shown.push(readFileSync(join(folder, 'partial.json'), 'utf8'));
  server.on('/a', file(body));
  shown.push(await get(url, undefined, options));
  expect(shown.length).toBeGreaterThan(5);
  expect(JSON.stringify(shown)).not.toContain('hidden');
  expect(server.seen.every(({ headers }) => headers.authorization !== undefined)).toBe(true);
});
