import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../../pipelines/cache/canonical-json.js';
import { baseReleaseStage } from '../../../pipelines/stages/base-release.js';

let server: Server;
let body = 'state of today\n';

beforeEach(async () => {
  server = createServer((request, response) => {
    if (request.url === '/debian/dists/bookworm/InRelease') response.end(body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => server.close());

function stage(path = 'debian') {
  const { port } = server.address() as AddressInfo;
  const mirror = `http://127.0.0.1:${port}/${path}`;
  const settings = {
    suite: 'bookworm',
    variant: 'minbase',
    include: [],
    exclude: [],
    components: [],
    mirror,
  };
  return baseReleaseStage(settings, false);
}

test('a plan tells whether the archive has moved on since its state was taken', async () => {
  const known = { release: sha256(Buffer.from(body)) };
  expect(await stage().lookAgain?.(known, undefined)).toBeUndefined();
  body = 'state of tomorrow\n';
  expect(await stage().lookAgain?.(known, undefined)).toMatch(/^the archive has moved on since: --rerun/);
});

test('and that it does not know when the archive can not be reached', async () => {
  const news = await stage('elsewhere').lookAgain?.({ release: '' }, undefined);
  expect(news).toMatch(/^whether the archive has moved on is not known: .*404/);
});
