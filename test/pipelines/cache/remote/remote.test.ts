import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { Cache } from '../../../../pipelines/cache/cache.js';
import { verify } from '../../../../pipelines/cache/maintenance.js';
import { decodeEntry, encodeEntry } from '../../../../pipelines/cache/remote/entry.js';
import { trustIn } from '../../../../pipelines/cache/remote/signing.js';
import { freePort, type Nginx, nginxUser, startNginx } from '../../../support/nginx.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith } from '../../../support/tools.js';
import { leftovers, recordsIn } from '../../engine/build-rig.js';
import { Machine } from './remote-rig.js';

const HMAC = { SSI_IMAGES_REMOTE_KEY: 'a secret of the tests' };

test('a folder as a remote: another machine runs only what writes, and nothing is left behind', async () => {
  const folder = temporaryFolder();
  const remote = { SSI_IMAGES_REMOTE_CACHE: join(folder, 'remote') };
  const [a, b] = [new Machine(join(folder, 'a'), 'x'), new Machine(join(folder, 'b'), 'x')];
  const first = await a.build(remote);
  expect(first.report).toMatchObject({ hits: 0, misses: 7, pushed: 7 });
  const second = await b.build(remote);
  expect(second.ranStages).toEqual(['image']);
  expect(b.outputs()).toEqual(a.outputs());
  expect(second.warnings).toEqual([]);
  // Of the base, 2.5 MB that do not compress, each byte comes once, and the hole of 2 MiB costs nothing.
  expect(second.report?.received).toBeLessThan(2_500_000 * 1.1);
  expect(statSync(join(b.folder, 'out/base')).blocks * 512).toBeLessThan(2_700_000);
  expect(leftovers(b.folder)).toEqual(['cache/remote']);
  const again = await b.build(remote);
  expect(again).toMatchObject({ unchanged: true, report: { sent: 0, pushed: 0 } });
});

test('what changed in the middle of a file moves alone', async () => {
  const folder = temporaryFolder();
  const remote = { SSI_IMAGES_REMOTE_CACHE: join(folder, 'remote') };
  const a = new Machine(join(folder, 'a'), 'x', 12_000_000);
  await a.build(remote);
  const bytes = readFileSync(join(a.folder, 'base'));
  const changed = [bytes.subarray(0, 5_000_000), Buffer.from('a line more\n'), bytes.subarray(5_000_000)];
  writeFileSync(join(a.folder, 'base'), Buffer.concat(changed));
  const { report } = await a.build(remote);
  expect(report?.pushed).toBe(5);
  expect(report?.sent).toBeLessThan(4_500_000);
});

test('a key that signs: entries of others are misses, and are replaced', async () => {
  const folder = temporaryFolder();
  const place = { SSI_IMAGES_REMOTE_CACHE: join(folder, 'remote') };
  const a = new Machine(join(folder, 'a'), 'x');
  await a.build(place);
  const unsigned = await new Machine(join(folder, 'b'), 'x').build({
    ...place,
    ...HMAC,
    SSI_IMAGES_REMOTE_MODE: 'read',
  });
  expect(unsigned.report).toMatchObject({ hits: 0, misses: 7, pushed: 0 });
  expect(unsigned.warnings.join()).toContain('not signed by who is trusted here');
  const wrong = { SSI_IMAGES_REMOTE_KEY: 'another secret of the tests' };
  await a.build({ ...place, ...wrong });
  const other = await new Machine(join(folder, 'c'), 'x').build({ ...place, ...HMAC });
  expect(other.report).toMatchObject({ hits: 0, misses: 7, pushed: 7 });
  const right = await new Machine(join(folder, 'd'), 'x').build({ ...place, ...HMAC });
  expect(right.ranStages).toEqual(['image']);
});

test('ed25519: who has only the public key reads and can not sign', async () => {
  const folder = temporaryFolder();
  const place = { SSI_IMAGES_REMOTE_CACHE: join(folder, 'remote') };
  const pair = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const publicOnly = { ...place, SSI_IMAGES_REMOTE_TRUSTED_KEYS: pair.publicKey.split('\n')[1] };
  const pullRequest = await new Machine(join(folder, 'p'), 'x').build(publicOnly);
  expect(pullRequest.report).toMatchObject({ pushed: 0, sent: 0 });
  const main = await new Machine(join(folder, 'm'), 'x').build({
    ...place,
    SSI_IMAGES_REMOTE_SIGNING_KEY: pair.privateKey,
  });
  expect(main.report).toMatchObject({ hits: 0, pushed: 7 });
  const reader = await new Machine(join(folder, 'r'), 'x').build(publicOnly);
  expect(reader.ranStages).toEqual(['image']);
});

describeWith(['nginx', 'openssl'], 'a remote cache behind nginx', () => {
  let nginx: Nginx;
  const folder = temporaryFolder();
  beforeAll(async () => {
    nginx = await startNginx(join(folder, 'nginx-of-the-tests'));
    return () => nginx.stop();
  });
  const environment = () => ({ SSI_IMAGES_REMOTE_CACHE: nginx.url, ...nginxUser, ...HMAC });
  let count = 0;
  /** Two machines with the same inputs, of which the first has pushed. */
  const pushed = async (): Promise<[Machine, Machine]> => {
    count += 1;
    for (const kind of ['ac', 'cas']) rmSync(join(nginx.root, kind), { recursive: true, force: true });
    const names = [join(folder, `a${count}`), join(folder, `b${count}`)] as const;
    const [a, b] = [new Machine(names[0], `seed ${count}`), new Machine(names[1], `seed ${count}`)];
    const { report, warnings } = await a.build(environment());
    expect(warnings).toEqual([]);
    expect(report?.pushed).toBe(7);
    return [a, b];
  };
  const entryOf = (machine: Machine, stage: string): string =>
    join(nginx.root, 'ac', recordsIn(machine.folder).get(stage)?.key ?? '');
  const isClean = async (machine: Machine): Promise<void> => {
    const found = await verify(Cache.open(join(machine.folder, 'cache')), new Pace());
    expect(found.bad).toEqual([]);
  };

  test('another machine runs only what writes', async () => {
    const [a, b] = await pushed();
    const built = await b.build(environment());
    expect(built.ranStages).toEqual(['image']);
    expect(built.warnings).toEqual([]);
    expect(b.outputs()).toEqual(a.outputs());
  });

  test('without a password it is read, nothing is written, and one line says so', async () => {
    const [a, b] = await pushed();
    const built = await b.build({ SSI_IMAGES_REMOTE_CACHE: nginx.url, ...HMAC }, 'a greeting of its own');
    expect(built.warnings).toHaveLength(1);
    expect(built.warnings[0]).toContain('401 Unauthorized: nothing is written to it');
    expect(built.report?.pushed).toBe(0);
    expect(built.ranStages).toContain('config');
    expect(built.ranStages).not.toContain('base');
    await a.build(environment(), 'a greeting of its own');
    expect(b.outputs()).toEqual(a.outputs());
  });

  test('a cut-off or corrupt chunk is never used, and put right by who makes it again', async () => {
    const [a, b] = await pushed();
    for (const name of readdirSync(join(nginx.root, 'cas'))) {
      const path = join(nginx.root, 'cas', name);
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    }
    const built = await b.build(environment());
    expect(b.outputs()).toEqual(a.outputs());
    expect(built.ranStages).toContain('base');
    await isClean(b);
    const c = new Machine(join(folder, `c${count}`), `seed ${count}`);
    const healed = await c.build(environment());
    expect(healed.ranStages).toEqual(['image']);
    expect(c.outputs()).toEqual(a.outputs());
  });

  test('the right content with a wrong signature is a miss', async () => {
    const [a, b] = await pushed();
    const path = entryOf(a, 'config');
    const [, body] = readFileSync(path, 'utf8').split('\n');
    const head = { signature: { algorithm: 'hmac-sha256', value: Buffer.alloc(32, 7).toString('base64') } };
    writeFileSync(path, `${JSON.stringify(head)}\n${body}\n`);
    const built = await b.build(environment());
    expect(built.ranStages).toContain('config');
    expect(built.warnings.join()).toContain('1 entry is not signed');
    expect(b.outputs()).toEqual(a.outputs());
  });

  test('the right key with another content is a miss, signed or not', async () => {
    const [a, b] = await pushed();
    const path = entryOf(a, 'config');
    const [head, body = ''] = readFileSync(path, 'utf8').split('\n');
    const { key, record } = recordsIn(a.folder).get('config') ?? { key: '', record: undefined };
    const digest = record?.artifacts.result?.sha256 ?? '';
    expect(body).toContain(digest);
    const other = recordsIn(a.folder).get('merged')?.record.artifacts.result?.sha256 ?? '';
    writeFileSync(path, `${head}\n${body.replaceAll(digest, other)}\n`);
    const built = await b.build(environment());
    expect(built.ranStages).toContain('config');
    expect(b.outputs()).toEqual(a.outputs());
    expect(key).not.toBe('');
  });

  test('the entry of another key is a miss, though it is signed', async () => {
    const [a, b] = await pushed();
    await a.build(environment(), 'another greeting');
    const wrong = [...Cache.open(join(a.folder, 'cache')).records()].filter(
      ({ record }) => record.stage === 'config',
    );
    expect(wrong).toHaveLength(2);
    const [one, two] = wrong.map(({ key }) => join(nginx.root, 'ac', key));
    const [first, second] = [readFileSync(one ?? ''), readFileSync(two ?? '')];
    writeFileSync(one ?? '', second);
    writeFileSync(two ?? '', first);
    const built = await b.build(environment());
    expect(built.ranStages).toContain('config');
    expect(readFileSync(join(b.folder, 'out/config'), 'utf8')).toBe('greeting hello\n');
    await isClean(b);
  });

  test('a signed entry that an honest but broken machine made is not used where its bytes are others', async () => {
    const [a, b] = await pushed();
    // All chunks of its layouts are there and whole, but they are not the blob that the record names.
    for (const key of readdirSync(join(nginx.root, 'ac'))) {
      const path = join(nginx.root, 'ac', key);
      const entry = decodeEntry(readFileSync(path), key, trustIn(HMAC));
      if (typeof entry === 'string') throw new Error(entry);
      const blobs = new Map(
        [...entry.blobs].map(([digest, blob]) => {
          if (typeof blob.layout === 'string') throw new Error('too long');
          return [digest, { ...blob, layout: [...blob.layout].reverse() }] as const;
        }),
      );
      writeFileSync(path, encodeEntry(key, { ...entry, blobs }, trustIn(HMAC)));
    }
    const built = await b.build(environment());
    expect(built.warnings.join()).toContain('names other bytes than it should');
    expect(built.ranStages).toContain('base');
    expect(b.outputs()).toEqual(a.outputs());
    await isClean(b);
  });

  test('nobody listens: the build is slower by seconds and says so once', async () => {
    const machine = new Machine(join(folder, 'alone'), 'alone');
    const start = performance.now();
    const built = await machine.build({ SSI_IMAGES_REMOTE_CACHE: `http://127.0.0.1:${await freePort()}/` });
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(built.warnings).toEqual([
      expect.stringContaining('nothing listens there; the build goes on without'),
    ]);
    expect(built.ranStages).toHaveLength(7);
  });
});

test('credentials in a URL, and keys that are none, are refused', () => {
  const machine = new Machine(temporaryFolder(), 'x', 10);
  const refused = (environment: NodeJS.ProcessEnv): void =>
    expect(() => machine.build(environment)).toThrow(/SSI_IMAGES|credentials|neither/);
  refused({ SSI_IMAGES_REMOTE_CACHE: 'http://me:secret@cache/' });
  refused({ SSI_IMAGES_REMOTE_CACHE: 'ftp://cache/' });
  refused({ SSI_IMAGES_REMOTE_CACHE: 'http://cache/', SSI_IMAGES_REMOTE_KEY: 'short' });
  refused({ SSI_IMAGES_REMOTE_CACHE: 'http://cache/', SSI_IMAGES_REMOTE_TRUSTED_KEYS: 'abc' });
  refused({ SSI_IMAGES_REMOTE_CACHE: 'http://cache/', SSI_IMAGES_REMOTE_TOKEN: 'a b' });
});
