import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, tool } from '../../support/tools.js';
import { CompiledDecoder } from './compiled-decoder.js';
import { blockAround, blockOf, noiseBits, seeded, streamOf } from './hand-made.js';
import { words } from './samples.js';

const folder = temporaryFolder();
const code = join(folder, 'code');
mkdirSync(code);
const decoder = new CompiledDecoder(code);

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function write(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function noise(length: number, seed: number): Buffer {
  const random = seeded(seed);
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = Math.floor(random() * 256);
  return bytes;
}

describeWith(['bzip2'], 'in worker threads', () => {
  const compress = (data: Buffer, level: number): Buffer =>
    execFileSync(tool('bzip2'), [`-${level}c`], { input: data, maxBuffer: 1e9 });

  const data = Buffer.concat([
    words(4_000_000, 21),
    Buffer.alloc(30_000_000),
    noise(600_000, 22),
    words(99_999, 23),
  ]);
  const compressed = compress(data, 1);

  test.each([1, 2, 3, 8])('%d of them give what bzip2 was given', (jobs) => {
    const path = write(`whole-${jobs}.bz2`, compressed);
    expect(decoder.decode(path, jobs)).toMatchObject({ size: data.length, sha256: sha256(data) });
  });

  test.each([5, 9])('at level %d, in several streams, with garbage behind', (level) => {
    const path = write(
      'streams.bz2',
      Buffer.concat([compress(data, level), compressed, Buffer.from('garbage')]),
    );
    const outcome = decoder.decode(path, 2);
    expect(outcome).toMatchObject({ size: data.length * 2, sha256: sha256(Buffer.concat([data, data])) });
  });

  test('the block that is damaged is named, not one behind it', () => {
    const outcomes = [0, 2].map((jobs) => {
      const changed = Buffer.from(compressed);
      changed[Math.floor(compressed.length * 0.4)]! ^= 8;
      changed[Math.floor(compressed.length * 0.8)]! ^= 8;
      return decoder.decode(write('damaged.bz2', changed), jobs);
    });
    expect(outcomes[1]?.error).toMatch(/^test\.bz2: byte \d+: error: damaged or cut bzip2 data: block \d+: /);
    expect(outcomes[1]?.error).toBe(outcomes[0]?.error);
  });

  test.each([0.5, 0.999])('cut at %d of its length', (part) => {
    const path = write('cut.bz2', compressed.subarray(0, Math.floor(compressed.length * part)));
    expect(decoder.decode(path, 2).error).toMatch(/damaged or cut bzip2 data: block \d+: it is cut off/);
  });

  test('an abort ends them', () => {
    const path = write('abort.bz2', compressed);
    expect(decoder.decode(path, 2, 3).error).toMatch(/interrupted/);
  });

  test('two gigabytes of zeros take little memory', async () => {
    const zeros = Buffer.alloc(1024 * 1024);
    const path = join(folder, 'zeros.bz2');
    const head = compress(noise(300_000, 24), 9);
    const image = execFileSync('sh', ['-c', `head -c 200M /dev/zero | ${tool('bzip2')} -9c`], {
      maxBuffer: 1e9,
    });
    await pipeline(
      Readable.from([head, ...Array.from({ length: 10 }, () => image)]),
      createWriteStream(path),
    );
    const hash = createHash('sha256').update(noise(300_000, 24));
    for (let megabyte = 0; megabyte < 2000; megabyte++) hash.update(zeros);
    const outcome = decoder.decode(path, 2);
    expect(outcome).toMatchObject({ size: 300_000 + 2000 * zeros.length, sha256: hash.digest('hex') });
    expect(outcome.peak).toBeLessThan(300);
  });
});

describeWith(['bzip2'], 'whole blocks inside the data of others', () => {
  const random = seeded(31);
  // Bytes next to each other would make too many ones in a row for the data of a block.
  const text = words(500, 32).map((byte) => byte & 0xfe);
  const inner = blockOf(text);
  const long = (): ReturnType<typeof blockAround> =>
    blockAround([...inner.bits, ...noiseBits(9001, random), ...inner.bits], random, 1_300_000, 1_200_000);

  function check(name: string, file: Buffer): void {
    const path = write(name, file);
    const judged = execFileSync(tool('bzip2'), ['-dc', path], { maxBuffer: 1e9 });
    const outcome = decoder.decode(path, 2);
    expect(outcome.error).toBeUndefined();
    expect(outcome).toMatchObject({ size: judged.length, sha256: sha256(judged) });
  }

  test('are not taken for blocks of the file', () => {
    check('inside.bz2', streamOf([long(), inner, long(), inner]));
  });

  test('however many there are', () => {
    const many: number[] = [];
    for (let count = 0; count < 150; count++) many.push(...inner.bits, ...noiseBits(500 + count, random));
    const outer = blockAround(many, random, 100_000, 1_500_000);
    check('many.bz2', streamOf([long(), outer, inner, long(), inner]));
  });

  test('nor damaged ones, and what really is damaged is found', () => {
    const path = write('inside-damaged.bz2', streamOf([long(), inner, { ...long(), checksum: 1 }, inner]));
    expect(decoder.decode(path, 2).error).toMatch(/the checksum of a whole stream is wrong/);
    const file = readFileSync(path);
    file[Math.floor(file.length * 0.75)]! ^= 1;
    const error = decoder.decode(write('inside-flipped.bz2', file), 2).error;
    expect(error).toMatch(/block 3: /);
    expect(error).toBe(decoder.decode(join(folder, 'inside-flipped.bz2'), 0).error);
  });
});

describe('small files', () => {
  test('need no threads', () => {
    const path = write('small.bz2', streamOf([blockOf(Buffer.from('a small file'))]));
    expect(decoder.decode(path, 2)).toMatchObject({ sha256: sha256(Buffer.from('a small file')) });
  });
});
