import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { copySparse } from '../../../images/bytes/sparse-copy.js';
import { Cache, defaultCacheFolder } from '../../../pipelines/cache/cache.js';
import { sha256 } from '../../../pipelines/cache/canonical-json.js';
import { nameOf, thisProcess } from '../../../pipelines/cache/process-identity.js';
import { keyOf, type StageRecord } from '../../../pipelines/cache/record.js';
import { temporaryFolder } from '../../support/temporary.js';

const bytes = Buffer.from('what a stage made');
const digest = sha256(bytes);
const record: StageRecord = {
  stage: 'stage',
  recipe: 'recipe',
  fields: { stage: 'stage' },
  artifacts: { result: { sha256: digest, size: bytes.length, stored: true } },
  facts: null,
  references: [],
  hostFiles: [],
  milliseconds: 1,
};
const key = keyOf(record.fields);

async function filled(): Promise<{ folder: string; blob: string; entry: string }> {
  const folder = temporaryFolder();
  const cache = Cache.open(folder);
  await cache.addBytes(bytes, digest);
  await cache.addRecord(key, record);
  return { folder, blob: join(folder, 'cas', digest), entry: join(folder, 'ac', key) };
}

const artifact = { sha256: digest, size: bytes.length };

async function isHere(folder: string): Promise<boolean> {
  const cache = Cache.open(folder);
  return cache.hasBlob(artifact) && (await cache.checkBlob(digest, new Pace()));
}

test('what was stored is here, under the names of the HTTP protocol', async () => {
  const { folder, blob, entry } = await filled();
  expect(readFileSync(blob)).toEqual(bytes);
  expect(Cache.open(folder).record(key)).toMatchObject(record);
  expect(existsSync(entry)).toBe(true);
  expect(await isHere(folder)).toBe(true);
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
});

/** What can happen to an entry. */
const damages: readonly [string, (path: string) => void][] = [
  ['another byte', (path) => writeFileSync(path, readFileSync(path).fill('X', 3, 4))],
  ['a byte less', (path) => truncateSync(path, statSync(path).size - 1)],
  ['a byte more', (path) => writeFileSync(path, `${readFileSync(path)}x`)],
  ['emptied', (path) => truncateSync(path, 0)],
  ['removed', (path) => rmSync(path)],
  [
    'a folder',
    (path) => {
      rmSync(path);
      mkdirSync(join(path, 'with/something'), { recursive: true });
    },
  ],
  [
    'a link to what it was',
    (path) => {
      renameSync(path, `${path}.moved`);
      symlinkSync(`${path}.moved`, path);
    },
  ],
  [
    'a pipe',
    (path) => {
      rmSync(path);
      execFileSync('mkfifo', [path]);
    },
  ],
];

test.each(damages)(
  'a blob that is damaged is not here, is put aside and can be stored again: %s',
  async (name, damage) => {
    const { folder, blob } = await filled();
    damage(blob);
    expect(await isHere(folder)).toBe(false);
    expect(existsSync(blob)).toBe(false);
    expect(readdirSync(join(folder, 'bad'))).toEqual(name === 'removed' ? [] : [digest]);
    await Cache.open(folder).addBytes(bytes, digest);
    expect(await isHere(folder)).toBe(true);
    // Again: the place in bad/ is taken.
    damage(blob);
    rmSync(`${blob}.moved`, { force: true });
    expect(await isHere(folder)).toBe(false);
    await Cache.open(folder).addBytes(bytes, digest);
    expect(await isHere(folder)).toBe(true);
  },
);

test.each(damages)(
  'the same without knowing its length, as a tree refers to it: %s',
  async (_name, damage) => {
    const { folder, blob } = await filled();
    damage(blob);
    expect(await Cache.open(folder).checkBlob(digest, new Pace())).toBe(false);
    expect(existsSync(blob)).toBe(false);
  },
);

test.each(damages)(
  'a record that is damaged is none, is put aside and can be stored again: %s',
  async (_name, damage) => {
    const { folder, entry } = await filled();
    damage(entry);
    const cache = Cache.open(folder);
    expect(cache.record(key)).toBeUndefined();
    expect(existsSync(entry)).toBe(false);
    await cache.addRecord(key, record);
    expect(cache.record(key)).toMatchObject(record);
  },
);

test('a blob can be stored where something else has its name', async () => {
  const { folder, blob } = await filled();
  rmSync(blob);
  mkdirSync(join(blob, 'folder'), { recursive: true });
  await Cache.open(folder).addBytes(bytes, digest);
  expect(readFileSync(blob)).toEqual(bytes);
});

test('a blob that changes after it was checked is checked again', async () => {
  const { folder, blob } = await filled();
  const cache = Cache.open(folder);
  expect(await cache.checkBlob(digest, new Pace())).toBe(true);
  rmSync(blob);
  expect(await cache.checkBlob(digest, new Pace())).toBe(false);
  writeFileSync(blob, 'something else');
  expect(await cache.checkBlob(digest, new Pace())).toBe(false);
});

test('the record of another key is not taken for this one', async () => {
  const { folder, entry } = await filled();
  const other = keyOf({ stage: 'other' });
  writeFileSync(join(folder, 'ac', other), readFileSync(entry));
  const cache = Cache.open(folder);
  expect(cache.record(other)).toBeUndefined();
  expect(cache.record(key)).toMatchObject(record);
  expect(cache.quarantined.map(({ path }) => path)).toEqual([join(folder, 'ac', other)]);
});

test('an entry that was healed meanwhile stays', async () => {
  const { folder, blob } = await filled();
  const seen = statSync(blob);
  rmSync(blob);
  const cache = Cache.open(folder);
  await cache.addBytes(bytes, digest);
  cache.putAside(blob, 'it was bad when we looked', { ...seen, ino: seen.ino + 1_000_000 } as typeof seen);
  expect(existsSync(blob)).toBe(true);
});

test('bytes can be read before the disk has them, and by then have their name', async () => {
  const folder = temporaryFolder();
  const cache = Cache.open(folder);
  const first = cache.addBytes(bytes, digest);
  const second = cache.addBytes(bytes, digest);
  expect(readFileSync(cache.blobPath(digest))).toEqual(bytes);
  expect(await cache.checkBlob(digest, new Pace())).toBe(true);
  await first;
  expect(readFileSync(cache.blobPath(digest))).toEqual(bytes);
  await second;
  expect(cache.blobPath(digest)).toBe(join(folder, 'cas', digest));
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
});

test('a record that was not renamed is no hit', async () => {
  const { folder, entry } = await filled();
  renameSync(entry, join(folder, 'tmp', `${nameOf({ ...thisProcess, started: '1' })}.record.00000000`));
  const cache = Cache.open(folder);
  expect(cache.record(key)).toBeUndefined();
  cache.sweep();
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
});

test('sweeping removes what dead processes left, and nothing of the living', async () => {
  const { folder } = await filled();
  const cache = Cache.open(folder);
  const own = cache.scratch.makeFolder('stage');
  writeFileSync(join(own, 'file'), 'x');
  const dead = join(folder, 'tmp', `${nameOf({ ...thisProcess, started: '1' })}.stage.00000000`);
  mkdirSync(join(dead, 'sub'), { recursive: true, mode: 0o700 });
  writeFileSync(Buffer.concat([Buffer.from(`${dead}/sub/`), Buffer.from([0xff, 0xfe])]), 'not UTF-8');
  execFileSync('chmod', ['000', join(dead, 'sub')]);
  writeFileSync(join(folder, 'tmp/of somebody'), '');
  const container = nameOf({ ...thisProcess, namespace: 'pid:[1]' });
  const [living, silent] = [`${container}.stage.00000000`, `${container}.stage.11111111`];
  for (const name of [living, silent]) mkdirSync(join(folder, 'tmp', name));
  const long = Date.now() / 1000 - 11 * 60;
  utimesSync(join(folder, 'tmp', silent), long, long);
  cache.sweep();
  const left = [own, join(folder, 'tmp/of somebody'), join(folder, 'tmp', living)];
  expect(readdirSync(join(folder, 'tmp')).sort()).toEqual(
    left.map((path) => path.slice(folder.length + 5)).sort(),
  );
});

test('a sparse file stays sparse', async () => {
  const folder = temporaryFolder();
  const cache = Cache.open(join(folder, 'cache'));
  const path = cache.scratch.path('blob');
  writeFileSync(path, 'start');
  truncateSync(path, 64 * 1024 * 1024);
  const copy = join(folder, 'copy');
  const sum = await copySparse(path, copy, new Pace());
  await cache.addFile(path, sum);
  expect(statSync(cache.blobPath(sum)).size).toBe(64 * 1024 * 1024);
  for (const file of [cache.blobPath(sum), copy]) expect(statSync(file).blocks * 512).toBeLessThan(64 * 1024);
  expect(await cache.checkBlob(sum, new Pace())).toBe(true);
});

test('a cache that can not be made is a clear error', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  expect(() => Cache.open(join(folder, 'file/cache'))).toThrow('a part of the path is not a directory');
  expect(() => Cache.open('/proc/cache')).toThrow('error');
});

test('where the cache is by default', () => {
  expect(defaultCacheFolder({ SSI_IMAGES_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(defaultCacheFolder({ SSI_IMAGES_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/ssi-images');
  expect(defaultCacheFolder({})).toMatch(/\/\.cache\/ssi-images$/);
});
