import {
  appendFileSync,
  type BigIntStats,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { sha256 } from '../../../pipelines/cache/canonical-json.js';
import { Scratch } from '../../../pipelines/cache/scratch.js';
import { StatCache } from '../../../pipelines/cache/stat-cache.js';
import { withPatchedFs } from '../../support/patched-fs.js';
import { temporaryFolder } from '../../support/temporary.js';

function rig() {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'tmp'));
  const open = (): StatCache => StatCache.open(join(folder, 'files.json'), new Scratch(join(folder, 'tmp')));
  return { folder, open, path: join(folder, 'file') };
}

test('a digest is remembered until the file changes, also by the next process', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  expect(cache.get(path)).toBeUndefined();
  expect(await cache.digest(path, new Pace())).toEqual({ sha256: sha256('one'), size: 3 });
  expect(cache.get(path)).toEqual({ sha256: sha256('one'), size: 3 });
  cache.save();
  expect(open().get(path)).toEqual({ sha256: sha256('one'), size: 3 });
  const { atime, mtime } = statSync(path);
  writeFileSync(path, 'two');
  utimesSync(path, atime, mtime);
  expect(open().get(path)).toBeUndefined();
  expect((await open().digest(path, new Pace())).sha256).toBe(sha256('two'));
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
});

test('another file under the same name is another file', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  writeFileSync(join(folder, 'other'), 'two');
  const cache = open();
  await cache.digest(path, new Pace());
  renameSync(join(folder, 'other'), path);
  expect(cache.get(path)).toBeUndefined();
});

test('what is written just before and just after is never taken for what was read', async () => {
  const { open, path } = rig();
  const cache = open();
  for (let round = 0; round < 40; round++) {
    for (const text of [`a${round % 10}`, `b${round % 10}`]) {
      writeFileSync(path, text);
      utimesSync(path, 1, 1);
      expect((await cache.digest(path, new Pace())).sha256).toBe(sha256(text));
    }
  }
});

test('nor is what is written just after a file was made', async () => {
  const { open, path } = rig();
  const cache = open();
  for (let round = 0; round < 20; round++) {
    writeFileSync(path, 'made');
    await cache.remember(path, sha256('made'));
    writeFileSync(path, 'user');
    expect((await cache.digest(path, new Pace())).sha256).toBe(sha256('user'));
  }
  writeFileSync(path, 'made');
  await cache.remember(path, sha256('made'));
  expect(cache.get(path)?.sha256).toBe(sha256('made'));
});

test('nor on a host whose clock is coarse: it waits until the next change must show', async () => {
  const { statSync: real } = await import('node:fs');
  const tick = 10_000_000n;
  const coarse = ((...parameters: Parameters<typeof real>) => {
    const status = real(...parameters) as unknown as BigIntStats | undefined;
    if (status === undefined || typeof status.mtimeNs !== 'bigint') return status;
    for (const name of ['mtimeNs', 'ctimeNs'] as const) status[name] -= status[name] % tick;
    return status;
  }) as unknown as typeof real;
  await withPatchedFs({ statSync: coarse }, async () => {
    const { open, path } = rig();
    const cache = open();
    for (let round = 0; round < 20; round++) {
      for (const text of ['one', 'two']) {
        writeFileSync(path, text);
        utimesSync(path, 1, 1);
        expect((await cache.digest(path, new Pace())).sha256).toBe(sha256(text));
      }
      writeFileSync(path, 'out');
      await cache.remember(path, sha256('out'));
      writeFileSync(path, 'own');
      expect((await cache.digest(path, new Pace())).sha256).toBe(sha256('own'));
    }
  });
});

test('what was changed on a filesystem with whole seconds is not remembered at once', async () => {
  const { statSync: real } = await import('node:fs');
  const coarse = ((...parameters: Parameters<typeof real>) => {
    const status = real(...parameters) as unknown as BigIntStats | undefined;
    if (typeof status?.ctimeNs === 'bigint') status.ctimeNs -= status.ctimeNs % 1_000_000_000n;
    return status;
  }) as unknown as typeof real;
  await withPatchedFs({ statSync: coarse }, async () => {
    const { open, path } = rig();
    writeFileSync(path, 'one');
    const cache = open();
    await cache.digest(path, new Pace());
    expect(cache.get(path)).toBeUndefined();
  });
});

test('what changes while it is read is not remembered', async () => {
  const { open, path } = rig();
  writeFileSync(path, Buffer.alloc(8 * 1024 * 1024));
  await sleep(50);
  const cache = open();
  class Meddler extends Pace {
    override due(): boolean {
      appendFileSync(path, 'x');
      return false;
    }
  }
  await cache.digest(path, new Meddler());
  expect(cache.get(path)).toBeUndefined();
});

/** The file as it lies in the cache: with a digest over what it holds. */
function withDigest(body: string): string {
  return `${sha256(body)}\n${body}\n`;
}

function bodyOf(file: string): string {
  return readFileSync(file, 'utf8').split('\n')[1] ?? '';
}

test('times of another boot are not trusted', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  await cache.digest(path, new Pace());
  cache.save();
  const file = join(folder, 'files.json');
  const saved = JSON.parse(bodyOf(file)) as { boot: string };
  writeFileSync(file, withDigest(JSON.stringify(saved)));
  expect(open().get(path)).toBeDefined();
  writeFileSync(file, withDigest(JSON.stringify({ ...saved, boot: 'another' })));
  expect(open().get(path)).toBeUndefined();
});

test('with any bit of it changed it is not believed', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  await cache.digest(path, new Pace());
  cache.save();
  const file = join(folder, 'files.json');
  const good = readFileSync(file);
  for (let at = 0; at < good.length - 1; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    writeFileSync(file, bad);
    expect(open().get(path)).toBeUndefined();
  }
});

test('whatever the file holds, nothing wrong is remembered and nothing fails', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  await cache.digest(path, new Pace());
  cache.save();
  const file = join(folder, 'files.json');
  const good = readFileSync(file);
  const { boot, files } = JSON.parse(bodyOf(file)) as { boot: string; files: [unknown[]] };
  const [row] = files;
  const bad = [
    'null',
    '[]',
    '{}',
    '',
    JSON.stringify({ boot }),
    ...[null, 1, {}, [null], [[]], [row.slice(1)], [[...row].reverse()]].map((rows) =>
      JSON.stringify({ boot, files: rows }),
    ),
  ];
  for (const text of [...bad, ...bad.map(withDigest), good.subarray(0, good.length / 2)]) {
    writeFileSync(file, text);
    expect(open().get(path)).toBeUndefined();
  }
  writeFileSync(file, good);
  expect(open().get(path)).toBeDefined();
});

test('two processes do not forget what the other learned', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  writeFileSync(join(folder, 'other'), 'two');
  const [one, other] = [open(), open()];
  await one.digest(path, new Pace());
  await other.digest(join(folder, 'other'), new Pace());
  one.save();
  other.save();
  expect(open().get(path)).toBeDefined();
  expect(open().get(join(folder, 'other'))).toBeDefined();
});

test('nothing is written where nothing was learned', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  await cache.digest(path, new Pace());
  cache.save();
  const before = statSync(join(folder, 'files.json')).ino;
  const next = open();
  await next.digest(path, new Pace());
  next.save();
  expect(statSync(join(folder, 'files.json')).ino).toBe(before);
});

test('a disk that is full or read-only only means that nothing is remembered', async () => {
  const { folder, path } = rig();
  writeFileSync(path, 'one');
  const cache = StatCache.open(join(folder, 'gone/files.json'), new Scratch(join(folder, 'gone')));
  await cache.digest(path, new Pace());
  expect(() => cache.save()).not.toThrow();
});

test('a link to the file has its digest, a new hard link too', async () => {
  const { folder, open, path } = rig();
  writeFileSync(path, 'one');
  const cache = open();
  await cache.digest(path, new Pace());
  linkSync(path, join(folder, 'link'));
  expect((await cache.digest(join(folder, 'link'), new Pace())).sha256).toBe(sha256('one'));
});
