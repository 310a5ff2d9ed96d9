import { beforeAll, expect, test } from 'vitest';
import { MemorySource } from '../../../../images/bytes/byte-source.js';
import { Pace } from '../../../../images/bytes/pace.js';
import { type CheckResult, checkOpenGfs } from '../../../../images/gfs/check/check.js';
import { rules } from '../../../../images/gfs/check/rules.js';
import { encodeJournalIndexRecord } from '../../../../images/gfs/journal.js';
import { TreeBuilder } from '../../../../images/tree/tree-builder.js';
import { hotPieces, mutate } from '../../../fuzz/mutate.js';
import { Random } from '../../../fuzz/random.js';
import { rounds } from '../../../support/rounds.js';
import { Damage } from './damage.js';
import { type MemoryImage, makeImage } from './memory-image.js';
import { subjectTree } from './subject.js';

const MUTATIONS = rounds(700, 2000);
const MILLISECONDS_MAX = 2000;
const FOLDER = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };

let good: MemoryImage;

beforeAll(async () => {
  good = await makeImage(8, { blockSize: 512 }, subjectTree());
});

/** Checks within the time that any image may take; what it finds is well formed. */
async function check(bytes: Buffer, limit?: number): Promise<CheckResult> {
  const started = performance.now();
  const options = limit === undefined ? {} : { limit };
  const result = await checkOpenGfs(new MemorySource(bytes, 'image'), { pace: new Pace(), ...options });
  expect(performance.now() - started).toBeLessThan(MILLISECONDS_MAX);
  for (const { rule, message } of result.faults) {
    expect(rules).toHaveProperty(rule);
    expect(message).not.toMatch(/undefined|NaN|\[object/);
  }
  return result;
}

test(`${MUTATIONS} mutations: never an exception, never long, and the good image stays good`, async () => {
  const before = await makeImage(8, { blockSize: 512 }, subjectTree(false));
  const bytes = Buffer.from(before.bytes);
  const hot = hotPieces(bytes);
  const random = new Random(1);
  let found = 0;
  for (let count = 0; count < MUTATIONS; count++) {
    const mutation = mutate(bytes, hot, random);
    const { faults } = await check(mutation.bytes);
    if (faults.length > 0) found += 1;
    mutation.undo();
  }
  expect(bytes.equals(before.bytes)).toBe(true);
  expect((await check(bytes)).faults).toEqual([]);
  // The rest hit file contents, times, owners and what else may be anything.
  expect(found).toBeGreaterThan(MUTATIONS / 2);
});

test.each([0, 511, 65536, 65536 + 351, 65536 + 352, 65536 + 512, 200_000])(
  'an image cut after %i bytes',
  async (length) => {
    const { faults } = await check(good.bytes.subarray(0, length));
    expect(faults.length).toBeGreaterThan(0);
  },
);

test.each([0, 255, 1])('a superblock in front of nothing but bytes of %i', async (value) => {
  const bytes = Buffer.alloc(good.bytes.length, value);
  good.bytes.copy(bytes, 65536, 65536, 65536 + 512);
  expect((await check(bytes)).faults.length).toBeGreaterThan(0);
});

test('no more faults than the limit', async () => {
  const bytes = Buffer.from(good.bytes);
  // Each second free block gets in use: each is a fault of its own.
  const damage = new Damage(good);
  const { address } = damage.group(1);
  bytes.fill(0x11, address * 512 + 128, (address + 1) * 512);
  expect(await check(bytes, 10)).toMatchObject({ truncated: true, faults: { length: 10 } });
  const all = await check(bytes);
  expect(all.truncated).toBe(false);
  expect(all.faults.length).toBeGreaterThan(700);
});

test('as many faults as the limit are not truncated', async () => {
  const damage = new Damage(good);
  damage.set(damage.superblock, 32, 1);
  expect(await check(damage.image.bytes, 1)).toMatchObject({ truncated: false, faults: { length: 1 } });
});

test('directories nested to the bottom of the image', async () => {
  const builder = new TreeBuilder(FOLDER);
  builder.directory('d/'.repeat(10_000), FOLDER);
  const image = await makeImage(16, { blockSize: 512 }, builder.build());
  const { faults, directories } = await check(image.bytes);
  expect(faults).toEqual([]);
  expect(directories).toBe(10_001);
  // A fault at the bottom is reported with a path that can be read.
  const damage = new Damage(image);
  const bottom = damage.special.root + 9000;
  damage.set(bottom, 40, 0xffff);
  const [fault] = (await check(damage.image.bytes)).faults;
  expect(fault).toMatchObject({ rule: 'dinode-mode', block: bottom });
  expect(fault?.path?.length).toBeLessThanOrEqual(4096);
});

test('one indirect block under every pointer, ten levels high', async () => {
  const damage = new Damage(good);
  const inode = damage.inode('/tall');
  const indirect = damage.target(inode, 0);
  damage.set(inode, 138, 10, 2);
  for (let index = 0; index < 35; index++) damage.set(inode, damage.topPointer(index), indirect, 8);
  for (let index = 0; index < 53; index++) damage.set(indirect, damage.indirectPointer(index), indirect, 8);
  const { faults } = await check(damage.image.bytes);
  expect(faults).toContainEqual(expect.objectContaining({ rule: 'block-claimed-twice', block: indirect }));
});

test('hash tables and quotas whose trees lead in circles', async () => {
  for (const name of ['/large', '/chained', 'quota'] as const) {
    const damage = new Damage(good);
    const inode = name === 'quota' ? damage.special.quota : damage.inode(name);
    const block = damage.target(inode, 0);
    damage.block(block).fill(0);
    damage.set(block, 0, 0x01161970);
    damage.set(block, 4, 5);
    damage.set(block, 16, 500);
    for (let index = 0; index < 53; index++) damage.set(block, damage.indirectPointer(index), block, 8);
    damage.set(inode, 138, 9, 2);
    expect((await check(damage.image.bytes)).faults.length).toBeGreaterThan(0);
  }
});

test('a journal index of very many records', async () => {
  // A file takes the place of the index: 20,000 journals, all in the place of the first.
  const { address } = new Damage(good).journal(0);
  const record = encodeJournalIndexRecord({ address, segments: 1 });
  const bytes = Buffer.concat(Array.from({ length: 20_000 }, () => record));
  const builder = new TreeBuilder(FOLDER);
  builder.put('records', { ...FOLDER, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } });
  const image = await makeImage(12, { blockSize: 512 }, builder.build());
  const damage = new Damage(image);
  damage.set(damage.superblock, 48, damage.inode('/records'), 8);
  damage.set(damage.superblock, 56, damage.inode('/records'), 8);
  const { faults, truncated } = await check(damage.image.bytes);
  expect(faults).toContainEqual(expect.objectContaining({ rule: 'journal-index' }));
  expect(truncated).toBe(true);
});
