import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../../../images/bytes/byte-source.js';
import { Pace } from '../../../../images/bytes/pace.js';
import { sha256 } from '../../../../pipelines/cache/canonical-json.js';
import { type Piece, piecesOf } from '../../../../pipelines/cache/remote/chunks.js';
import { CircuitBreaker } from '../../../../pipelines/cache/remote/circuit-breaker.js';
import { decodeLayout } from '../../../../pipelines/cache/remote/layout.js';
import { TimeAccount } from '../../../../pipelines/cache/remote/time-account.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { noise } from './remote-rig.js';

const folder = temporaryFolder();

async function cut(bytes: Buffer, start = 0): Promise<Piece[]> {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const source = new FileSource(path);
  try {
    const pieces: Piece[] = [];
    for await (const piece of piecesOf(source, start, new Pace())) pieces.push(piece);
    return pieces;
  } finally {
    source.close();
  }
}

const joined = (pieces: readonly Piece[]): Buffer =>
  Buffer.concat(pieces.map((piece) => (piece.kind === 'data' ? piece.bytes : Buffer.alloc(piece.length))));

const nameOf = (piece: Piece): string => (piece.kind === 'data' ? sha256(piece.bytes) : `${piece.length}`);

test('pieces make the file again, whatever its length and wherever its holes are', async () => {
  const unit = 64 * 1024;
  const samples = [
    Buffer.alloc(0),
    Buffer.from('x'),
    Buffer.alloc(1),
    Buffer.alloc(unit),
    Buffer.alloc(10 * unit + 17),
    noise(10_000_001, 'a'),
    Buffer.concat([
      noise(unit + 5, 'b'),
      Buffer.alloc(5 * unit),
      noise(300_000, 'c'),
      Buffer.alloc(3 * unit + 9),
    ]),
    Buffer.concat([Buffer.alloc(40 * unit), noise(9_000_000, 'd'), Buffer.alloc(unit * 2 - 1)]),
    Buffer.alloc(9_000_000, 1),
  ];
  for (const sample of samples) {
    const pieces = await cut(sample);
    expect(joined(pieces).equals(sample)).toBe(true);
    for (const piece of pieces)
      if (piece.kind === 'data') expect(piece.bytes.length).toBeLessThanOrEqual(4 << 20);
  }
});

test('holes take no chunk', async () => {
  const pieces = await cut(Buffer.concat([noise(65_536, 'x'), Buffer.alloc(20_000_000)]));
  expect(pieces.map(({ kind }) => kind)).toEqual(['data', 'hole']);
});

test('cutting can begin where a piece begins, and bytes inserted change few chunks', async () => {
  const bytes = noise(12_000_000, 'e');
  const pieces = await cut(bytes);
  expect(pieces.length).toBeGreaterThan(8);
  const [first] = pieces;
  const start = first?.kind === 'data' ? first.bytes.length : 0;
  expect((await cut(bytes, start)).map(nameOf)).toEqual(pieces.slice(1).map(nameOf));
  const changed = Buffer.concat([
    bytes.subarray(0, 3_000_000),
    Buffer.from('more'),
    bytes.subarray(3_000_000),
  ]);
  const known = new Set(pieces.map(nameOf));
  const fresh = (await cut(changed)).filter((piece) => !known.has(nameOf(piece)));
  expect(fresh.length).toBeLessThanOrEqual(3);
});

test('a layout of another length, or with parts that none has, is none', () => {
  const digest = 'a'.repeat(64);
  const read = (value: unknown, size: number) => decodeLayout(Buffer.from(JSON.stringify(value)), size);
  expect(read([[digest, 5], 10], 15)).toEqual([[digest, 5], 10]);
  expect(read([[digest, 5], 10], 16)).toBeUndefined();
  expect(read([[digest, 0]], 0)).toBeUndefined();
  expect(read([[digest, 5_000_000]], 5_000_000)).toBeUndefined();
  expect(read([['../../x', 5]], 5)).toBeUndefined();
  expect(read([-5], -5)).toBeUndefined();
  expect(read([1e300], 1e300)).toBeUndefined();
  expect(decodeLayout(Buffer.from('{'), 0)).toBeUndefined();
});

test('the breaker opens after three failures, tries one call after a while, and closes when that works', () => {
  let now = 0;
  const breaker = new CircuitBreaker(() => now);
  for (let failure = 0; failure < 3; failure++) {
    expect(breaker.admits()).toBe(true);
    breaker.failed();
  }
  expect(breaker.admits()).toBe(false);
  now = 15_000;
  expect([breaker.admits(), breaker.admits()]).toEqual([true, false]);
  breaker.failed();
  expect(breaker.admits()).toBe(false);
  now = 30_000;
  expect(breaker.admits()).toBe(true);
  breaker.succeeded();
  expect([breaker.admits(), breaker.admits()]).toEqual([true, true]);
});

test('the account ends what takes too long, gives back what was worth it, and counts time that passes at once once', async () => {
  const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const account = new TimeAccount(300);
  await account.charge(
    () => rest(150),
    () => 10_000,
  );
  expect(account.lost).toBeLessThan(20);
  await Promise.all(
    [1, 2, 3].map(() =>
      account.charge(
        () => rest(100),
        () => 0,
      ),
    ),
  );
  expect(account.lost).toBeGreaterThan(90);
  expect(account.lost).toBeLessThan(250);
  expect(account.signal.aborted).toBe(false);
  const start = performance.now();
  await account.charge(
    () => new Promise<void>((resolve) => account.signal.addEventListener('abort', () => resolve())),
    () => 0,
  );
  expect(performance.now() - start).toBeLessThan(290);
});
