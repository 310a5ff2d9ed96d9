import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import unbzip2 from 'unbzip2-stream';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { decodeBzip2 } from '../../../images/bzip2/decode.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { describeWith, tool } from '../../support/tools.js';
import { seeded } from './hand-made.js';
import { samples, words } from './samples.js';

async function decode(bytes: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await decodeBzip2(new MemorySource(bytes, 'test.bz2'), (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

/** What went wrong, as the user sees it; everything else that is thrown is a bug. */
async function faultOf(bytes: Buffer): Promise<string | undefined> {
  try {
    await decode(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.message;
  }
}

function compress(data: Buffer, level = 9): Buffer {
  return execFileSync(tool('bzip2'), [`-${level}c`], { input: data, maxBuffer: 1e9 });
}

/** What bzip2 says of a file: its data, or undefined when it refuses it. */
function judge(bytes: Buffer): Buffer | undefined {
  const { status, stdout } = spawnSync(tool('bzip2'), ['-dc'], { input: bytes, maxBuffer: 1e9 });
  return status === 0 ? stdout : undefined;
}

async function asJudged(bytes: Buffer, what: string): Promise<boolean> {
  const judged = judge(bytes);
  if (judged === undefined)
    expect(await faultOf(bytes), `${what}: bzip2 refuses it`).toMatch(/^test\.bz2: byte/);
  else expect((await decode(bytes)).equals(judged), `${what}: bzip2 takes it`).toBe(true);
  return judged !== undefined;
}

describeWith(['bzip2'], 'what bzip2 wrote', () => {
  describe.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('at level %d', (level) => {
    test.each(samples())('%s', async (_name, data) => {
      expect((await decode(compress(data, level))).equals(data)).toBe(true);
    });
  });

  test.each(samples().filter(([, data]) => data.length > 0 && data.length < 1000))(
    'unbzip2-stream reads the same: %s',
    async (_name, data) => {
      const pieces: Buffer[] = [];
      const stream = unbzip2();
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      const ended = once(stream, 'end');
      stream.end(compress(data));
      await ended;
      expect((await decode(compress(data))).equals(Buffer.concat(pieces))).toBe(true);
    },
  );

  test('several streams, empty ones between, of different levels', async () => {
    const [text, zeros] = [words(250_000, 7), Buffer.alloc(1_000_000)];
    const empty = compress(Buffer.alloc(0));
    const file = Buffer.concat([
      empty,
      compress(text, 1),
      empty,
      empty,
      compress(zeros, 9),
      compress(text, 5),
      empty,
    ]);
    expect((await decode(file)).equals(Buffer.concat([text, zeros, text]))).toBe(true);
  });

  test.each([
    '',
    'B',
    'BZ',
    'BZh',
    'BZh9',
    'BZh0',
    'BZhx',
    'BZx',
    'BX',
    'x',
    '\0',
    '\0\0\0\0',
    'BZh9garbage!!!!!!!!',
    'BZh91AY&SY',
    'garbage BZh9',
  ])('followed by %j', async (garbage) => {
    const file = compress(words(5000, 9));
    await asJudged(Buffer.concat([file, Buffer.from(garbage, 'latin1')]), 'garbage');
    await asJudged(Buffer.concat([file, file, Buffer.from(garbage, 'latin1')]), 'garbage after two streams');
  });

  test('cut anywhere', async () => {
    const data = words(400, 11);
    const file = Buffer.concat([compress(data), compress(Buffer.alloc(0))]);
    for (let length = 0; length < file.length; length++)
      await asJudged(file.subarray(0, length), `${length} bytes`);
  });

  test('with a bit changed: never other data than bzip2 gives', async () => {
    const random = seeded(99);
    const file = Buffer.concat([compress(words(2500, 13), 1), compress(Buffer.alloc(70_000, 'ab'), 1)]);
    let taken = 0;
    for (let round = 0; round < 400; round++) {
      const changed = Buffer.from(file);
      const bit = Math.floor(random() * file.length * 8);
      changed[bit >> 3]! ^= 0x80 >> (bit & 7);
      if (await asJudged(changed, `bit ${bit}`)) taken++;
    }
    // A few bits mean nothing: those behind a stream's end.
    expect(taken).toBeLessThan(40);
  });

  test('names the block and the byte that is damaged', async () => {
    const random = seeded(5);
    const noise = Buffer.from(Array.from({ length: 450_000 }, () => Math.floor(random() * 256)));
    const file = compress(noise, 1);
    const changed = Buffer.from(file);
    changed[Math.floor(file.length * 0.7)]! ^= 0x10;
    expect(await faultOf(changed)).toMatch(
      /^test\.bz2: byte \d+: error: damaged or cut bzip2 data: block 4: .*\n.*Get the file again/,
    );
    expect(await faultOf(file.subarray(0, file.length / 2))).toMatch(
      new RegExp(
        `byte ${Math.floor(file.length / 2)}: error: damaged or cut bzip2 data: block 3: it is cut off`,
      ),
    );
    changed.set(file);
    changed[file.length - 3]! ^= 4;
    expect(await faultOf(changed)).toMatch(/the checksum of a whole stream is wrong/);
  });

  test('an abort ends it', async () => {
    const controller = new AbortController();
    // So much that no machine is done before the abort comes.
    const streams = new Array<Buffer>(1000).fill(compress(Buffer.alloc(50_000_000)));
    setTimeout(() => controller.abort(), 10);
    const decoding = decodeBzip2(new MemorySource(Buffer.concat(streams), 'test.bz2'), () => {}, {
      signal: controller.signal,
    });
    await expect(decoding).rejects.toThrowError(/interrupted/);
  });
});

test.each(['', 'B', 'BZ', 'BZh', 'BZh0', 'hello, world', 'BZip'])(
  'no bzip2 data at all: %j',
  async (text) => {
    expect(await faultOf(Buffer.from(text))).toMatch(
      /test\.bz2: byte 0: error: no bzip2 data|ends in the header/,
    );
  },
);
