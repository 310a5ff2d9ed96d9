import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { decodeBzip2 } from '../../../images/bzip2/decode.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { describeWith, tool } from '../../support/tools.js';
import {
  blockAround,
  blockBits,
  blockOf,
  blockOfCodes,
  codesOf,
  noiseBits,
  type RawBlock,
  seeded,
  slowCrc,
  streamOf,
} from './hand-made.js';
import { words } from './samples.js';

async function decode(bytes: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await decodeBzip2(new MemorySource(bytes, 'made.bz2'), (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

async function faultOf(bytes: Buffer): Promise<string> {
  const error: unknown = await decode(bytes).then(
    () => new Error('nothing is wrong'),
    (fault: unknown) => fault,
  );
  if (!(error instanceof DiagnosticError)) throw error;
  return error.message;
}

function bzip2(bytes: Buffer): { status: number | null; stdout: Buffer } {
  return spawnSync(tool('bzip2'), ['-dc'], { input: bytes, maxBuffer: 1e9 });
}

/** The distances at which old versions changed bytes: only those that a short text reaches. */
const distances = [619, 720, 127, 481];

describeWith(['bzip2'], 'what no program writes any more', () => {
  test('a block in which bytes were changed to break up repetitions', async () => {
    const data = words(1800, 3);
    const block = blockOf(
      data,
      (text) => {
        let end = 0;
        for (const distance of distances) {
          end += distance;
          if (end - 2 < text.length) text[end - 2]! ^= 1;
        }
      },
      { randomised: true },
    );
    const file = streamOf([block]);
    expect(bzip2(file).stdout.equals(data)).toBe(true);
    expect((await decode(file)).equals(data)).toBe(true);
  });

  test('a block of a text that repeats, whose rotations are not told apart', async () => {
    const data = Buffer.from('ab'.repeat(300));
    const file = streamOf([blockOf(data)]);
    expect(bzip2(file).stdout.equals(data)).toBe(true);
    expect((await decode(file)).equals(data)).toBe(true);
  });

  test('more selectors than a block can need', async () => {
    const data = words(500, 4);
    const raw = blockOf(data).raw;
    const selectors = [...raw.selectors, ...new Array<number>(25_000).fill(1)];
    const file = streamOf([blockOf(data, () => {}, { selectors })]);
    expect(bzip2(file).stdout.equals(data)).toBe(true);
    expect((await decode(file)).equals(data)).toBe(true);
  });

  test('a table that is no code, but is not used', async () => {
    const data = words(500, 5);
    const { tables } = blockOf(data).raw;
    const bad = tables[0]!.map(() => 1);
    const file = streamOf([blockOf(data, () => {}, { tables: [tables[0]!, bad] })]);
    expect(bzip2(file).stdout.equals(data)).toBe(true);
    expect((await decode(file)).equals(data)).toBe(true);
  });

  test('codes of 20 bits', async () => {
    const data = Buffer.from(Array.from({ length: 40 }, (_, index) => 65 + ((index * 7) % 19)));
    const { raw } = blockOf(data);
    const count = raw.used.length + 2;
    const lengths = Array.from({ length: count }, (_, symbol) => Math.min(symbol + 1, 20));
    const old = codesOf(raw.tables[0]!);
    const width = raw.tables[0]![0]!;
    const text = raw.codes.join('');
    const symbols = Array.from({ length: text.length / width }, (_, index) =>
      old.indexOf(text.slice(index * width, (index + 1) * width)),
    );
    const codes = [...symbols.map((symbol) => codesOf(lengths)[symbol]!).join('')].map(Number);
    const file = streamOf([
      { bits: blockBits({ ...raw, tables: [lengths, lengths], codes }), checksum: raw.checksum },
    ]);
    expect(bzip2(file).stdout.equals(data)).toBe(true);
    expect((await decode(file)).equals(data)).toBe(true);
  });

  test('bits of data that are a whole block themselves', async () => {
    const random = seeded(12);
    // Bytes next to each other would make too many ones in a row.
    const data = words(300, 6).map((byte) => byte & 0xfe);
    const inner = blockOf(data);
    const outer = blockAround(inner.bits, random);
    const file = streamOf([outer, inner]);
    const expected = Buffer.concat([outer.data, data]);
    expect(bzip2(file).stdout.equals(expected)).toBe(true);
    expect((await decode(file)).equals(expected)).toBe(true);
  });
});

describe('hostile blocks', () => {
  const data = words(600, 8);
  const good = blockOf(data).raw;
  const two = good.tables;
  const cases: [name: string, change: Partial<RawBlock>, message: RegExp][] = [
    ['an origin outside of the block', { origin: 700 }, /block 1: its origin is outside of it/],
    ['an origin outside of any block', { origin: 0xffffff }, /block 1: its origin is outside of it/],
    ['no bytes', { used: [] }, /block 1: no byte occurs in it/],
    ['one table', { tableCount: 1 }, /block 1: it has 1 code tables/],
    ['seven tables', { tableCount: 7 }, /block 1: it has 7 code tables/],
    ['no selectors', { selectors: [] }, /block 1: it has no selectors/],
    ['too few selectors', { selectors: [0] }, /fewer selectors than its symbols need/],
    ['a selector of no table', { selectors: [0, 2, 0] }, /a selector of a table that is none/],
    ['a code of no bits', { tables: [two[0]!.map(() => 0), two[1]!] }, /block 1: a code of 0 bits/],
    ['a code of 21 bits', { tables: [two[0]!.map(() => 21), two[1]!] }, /block 1: a code of 21 bits/],
    ['more codes than bits tell apart', { tables: [two[0]!.map(() => 2), two[1]!] }, /make no code/],
    ['a code of nothing', { tables: [two[0]!.map(() => 20), two[1]!] }, /a code that stands for nothing/],
    ['a wrong checksum', { checksum: 1 }, /block 1: its checksum is wrong/],
    [
      'an endless run',
      { codes: new Array<number>(5000).fill(0) },
      /block 1: .*(a run that no block|longer than)/,
    ],
  ];
  test.each(cases)('%s', async (_name, change, message) => {
    const raw = { ...good, ...change };
    expect(await faultOf(streamOf([{ bits: blockBits(raw), checksum: raw.checksum }]))).toMatch(message);
  });

  test('a run whose length is missing', async () => {
    const text = Buffer.from('xyz');
    const block = blockOf(text, (each) => each.push(65, 65, 65, 65), {
      checksum: slowCrc(Buffer.from('xyzAAAA')),
    });
    expect(await faultOf(streamOf([block]))).toMatch(/block 1: it ends in a run whose length is missing/);
  });

  test('a block that is longer than its stream allows', async () => {
    const random = seeded(3);
    const long = blockOfCodes(noiseBits(900_000, random));
    expect(long.data.length).toBeGreaterThan(100_000);
    expect((await decode(streamOf([long], { level: 2 }))).equals(long.data)).toBe(true);
    expect(await faultOf(streamOf([long], { level: 1 }))).toMatch(
      /block 1: it is longer than level 1 allows/,
    );
  });

  test('a stream whose checksum is that of other blocks', async () => {
    expect(await faultOf(streamOf([blockOf(data)], { checksum: 1 }))).toMatch(
      /the checksum of a whole stream is wrong/,
    );
  });

  test('what is neither a block nor an end', async () => {
    const file = streamOf([{ bits: [...blockOf(data).bits, 1, 0, 1], checksum: good.checksum }]);
    expect(await faultOf(file)).toMatch(/neither a block nor the end of the stream follows block 1/);
    expect(await faultOf(Buffer.from('BZh9 and then something else'))).toMatch(
      /byte 4: .*follows its header/,
    );
  });
});
