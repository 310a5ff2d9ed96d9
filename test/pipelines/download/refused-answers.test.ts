import { readdirSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { file, status, tooMuch } from './faulty-server.js';

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
} from './rig.js';

describe('answers that are no file', () => {
  test('429 is obeyed', async () => {
    const url = server.on('/a', status(429, { 'retry-after': '7' }), file(body));
    await get(url);
    expect(pauses).toEqual([7000]);
    expectFile(body);
  });

  test('503 with a date is obeyed', async () => {
    const date = new Date(Date.now() + 20_000).toUTCString();
    await get(server.on('/a', status(503, { 'retry-after': date }), file(body)));
    expect(pauses[0]).toBeGreaterThan(15_000);
    expect(pauses[0]).toBeLessThanOrEqual(20_000);
  });

  test('a wait of an hour is not', async () => {
    const url = server.on('/a', status(429, { 'retry-after': '3600' }));
    expect(await messageOf(get(url))).toContain('429 Too Many Requests, and asks to wait 3600 s');
    expect(pauses).toEqual([]);
  });

  test.each([500, 502, 408, 425])('%i is tried again', async (code) => {
    await get(server.on('/a', status(code), file(body)));
    expectFile(body);
  });

  test.each([404, 403, 410, 401, 204, 304, 300])('%i goes to the next URL at once', async (code) => {
    const urls = [server.on('/a', status(code)), server.on('/b', file(body))];
    expect((await get(urls)).url).toBe(urls[1]);
    expect(server.seen).toHaveLength(2);
    expect(pauses).toEqual([]);
    expect(faults[0]?.message).toContain(`${urls[0]}: the server answered ${code}`);
    expectFile(body);
  });

  test('each URL that fails is named, in order', async () => {
    const urls = [server.on('/a', status(404)), server.on('/b', status(500))];
    const all = await failure(get(urls, undefined, { retries: 1 }));
    expect(all.map(({ message }) => message)).toEqual([
      `cannot download ${urls[0]}: the server answered 404 Not Found`,
      `cannot download ${urls[1]}: the server answered 500 Internal Server Error`,
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an endless redirect ends', async () => {
    const url = server.on('/a', status(302, { location: '/a' }));
    expect(await messageOf(get(url))).toContain('more than 20 redirects');
    expect(server.seen).toHaveLength(21);
  });

  test.each([
    ['file:///etc/passwd', 'which is not safe'],
    ['ftp://x/', 'which is not safe'],
    ['http://[', 'no usable Location'],
  ])('a redirect to %s is not followed', async (location, reason) => {
    expect(await messageOf(get(server.on('/a', status(301, { location }))))).toContain(reason);
  });

  test('a redirect from https to http is not followed', async () => {
    const location = server.on('/a', file(body));
    vi.stubGlobal('fetch', async () => new Response(null, { status: 302, headers: { location } }));
    try {
      expect(await messageOf(get('https://example.org/a'))).toContain(
        `redirects to ${location}, which is not safe`,
      );
    } finally {
      vi.unstubAllGlobals();
    }
    expect(server.seen).toEqual([]);
  });

  test('an encoded body is refused', async () => {
    const url = server.on('/a', file(body, { headers: { 'content-encoding': 'gzip' } }));
    expect(await messageOf(get(url))).toContain('the server sends it encoded (gzip)');
  });

  test('a web page is refused, unless it is what was asked for', async () => {
    for (const page of [
      '<!DOCTYPE html>\n<p>',
      '\ufeff\n <html lang="en">',
      '<?xml version="1.0"?><!doctype HTML >',
    ]) {
      const url = server.on('/a.tar.gz', file(Buffer.from(page)));
      expect(await messageOf(get(url))).toContain('a web page instead of the file');
      expect(readdirSync(folder)).toEqual([]);
    }
    await get(server.on('/a.html', file(Buffer.from('<html>'))));
    expectFile(Buffer.from('<html>'));
  });

  test('more than was announced is refused', async () => {
    const url = server.on('/a', tooMuch(body, 1000));
    expect(await messageOf(get(url))).toContain('more bytes than it announced');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a part that is longer than its Content-Range is refused', async () => {
    const url = server.on('/a', file(body, { etag, dropAfter: half }));
    await interrupted(url);
    const contentRange = (start: number): string => `bytes ${start}-${start + 9}/${body.length}`;
    server.on('/a', file(body, { etag, contentRange, chunked: true }));
    expect(await messageOf(get(url))).toContain('more bytes than it announced');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a file above the limit is refused, announced or not', async () => {
    for (const chunked of [false, true]) {
      const url = server.on('/a', file(body, { chunked }));
      expect(await messageOf(get(url, undefined, { maxBytes: 200_000 }))).toContain(
        'larger than 200000 bytes',
      );
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});
