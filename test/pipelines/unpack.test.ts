import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DiagnosticError } from '../../images/diagnostic.js';
import { type UnpackOptions, unpack } from '../../pipelines/unpack.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, tool } from '../support/tools.js';

const folder = temporaryFolder();
const output = join(folder, 'output');
mkdirSync(output);

/** Data with a large hole in it, and one at its end. */
const data = Buffer.alloc(6_000_000);
for (let index = 0; index < 700_000; index++)
  data[index] = data[4_500_000 + index] = (index * 31 + (index >> 7) * (index >> 11)) & 0xff;
const digest = createHash('sha256').update(data).digest('hex');
const plain = join(folder, 'plain');
writeFileSync(plain, data);

let made = 0;
const fresh = (): string => join(output, `file-${made++}`);

function compress(program: string, ...args: string[]): Buffer {
  return execFileSync(tool(program), ['-c', ...args, plain], { maxBuffer: 1e8 });
}

function write(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function faultOf(path: string, options: UnpackOptions = {}): Promise<string> {
  const destination = fresh();
  const error: unknown = await unpack(path, destination, options).then(
    () => new Error('nothing is wrong'),
    (fault: unknown) => fault,
  );
  expect(existsSync(destination)).toBe(false);
  if (!(error instanceof DiagnosticError)) throw error;
  return error.message;
}

/** Programs that this process has started and that have not been reaped. */
function children(): string[] {
  const path = `/proc/self/task/${process.pid}/children`;
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .split(' ')
        .filter((pid) => pid !== '')
    : [];
}

/** Runs without a program that is on PATH. */
async function without<T>(body: () => Promise<T>): Promise<T> {
  const before = process.env.PATH;
  process.env.PATH = output;
  try {
    return await body();
  } finally {
    process.env.PATH = before;
  }
}

const kinds = [
  ['gzip', 'zlib'],
  ['xz', 'xz'],
  ['zstd', 'zstd'],
  ['bzip2', 'own'],
] as const;

for (const [program, decoder] of kinds) {
  describeWith([program], `${program} by ${decoder}`, () => {
    test('gives size, digest and a file with holes', async () => {
      const path = write(`-data.${program}`, compress(program));
      const destination = fresh();
      const steps: number[][] = [];
      const result = await unpack(path, destination, {
        onProgress: (...step) => void steps.push(step),
      });
      expect(result).toEqual({ size: data.length, sha256: digest, compression: program, decoder });
      expect(readFileSync(destination).equals(data)).toBe(true);
      expect(statSync(destination).blocks * 512).toBeLessThan(1_500_000);
      const total = statSync(path).size;
      expect(steps.at(-1)).toEqual([total, total, data.length]);
      for (const [index, [bytesIn, totalIn, bytesOut]] of steps.entries()) {
        expect(totalIn).toBe(total);
        expect(bytesIn).toBeLessThanOrEqual(total);
        expect(bytesIn).toBeGreaterThanOrEqual(steps[index - 1]?.[0] ?? 0);
        expect(bytesOut).toBeGreaterThanOrEqual(steps[index - 1]?.[2] ?? 0);
      }
    });

    test('reads through a link with an odd name', async () => {
      const path = join(folder, `--help me\n.${decoder}`);
      symlinkSync(write(`target.${program}`, compress(program)), path);
      expect((await unpack(path, fresh())).sha256).toBe(digest);
    });

    test('cut or damaged data is refused, and nothing is left', async () => {
      const bytes = compress(program);
      for (const length of [10, 1000, bytes.length >> 1, bytes.length - 1]) {
        const path = write(`cut.${program}`, bytes.subarray(0, length));
        expect(await faultOf(path), `${length} bytes`).toMatch(
          new RegExp(`cut\\.${program}: (byte \\d+: )?error: damaged or cut ${program} data`),
        );
      }
      bytes[bytes.length >> 1]! ^= 0x55;
      expect(await faultOf(write(`bad.${program}`, bytes))).toMatch(/bad.*damaged or cut/);
      expect(children()).toEqual([]);
    });

    test('an abort ends it, and nothing is left', async () => {
      const path = write(`abort.${program}`, compress(program));
      const before = new AbortController();
      before.abort();
      expect(await faultOf(path, { signal: before.signal })).toMatch(/interrupted/);
      const during = new AbortController();
      setTimeout(() => during.abort(), 5);
      const endless = write(
        `endless.${program}`,
        Buffer.concat(new Array<Buffer>(20).fill(readFileSync(path))),
      );
      expect(await faultOf(endless, { signal: during.signal })).toMatch(/interrupted/);
      expect(children()).toEqual([]);
    });

    test('an existing destination stays as it is', async () => {
      const path = write(`exists.${program}`, compress(program));
      const destination = join(folder, `mine.${program}`);
      writeFileSync(destination, 'mine');
      await expect(unpack(path, destination)).rejects.toThrowError(/mine\..*: error: it exists already/);
      expect(readFileSync(destination, 'utf8')).toBe('mine');
      expect(children()).toEqual([]);
    });

    test('a destination that can not be made is named', async () => {
      const path = write(`lost.${program}`, compress(program));
      const lost = join(folder, 'no-folder', 'file');
      await expect(unpack(path, lost)).rejects.toThrowError(/no-folder\/file: error: no such file/);
      expect(children()).toEqual([]);
    });
  });
}

describeWith(['bzip2'], 'bzip2', () => {
  test('needs no program', async () => {
    const path = write('alone.bz2', compress('bzip2'));
    expect((await without(() => unpack(path, fresh()))).sha256).toBe(digest);
  });

  test.each(['garbage', 'B', 'BZ', 'BZh', 'BZh9', '\0\0'])(
    '%j behind the data: as bzip2 takes it',
    async (garbage) => {
      const path = write('garbage.bz2', Buffer.concat([compress('bzip2'), Buffer.from(garbage)]));
      let taken = true;
      try {
        execFileSync(tool('bzip2'), ['-t', path], { stdio: 'ignore' });
      } catch {
        taken = false;
      }
      if (taken) expect((await unpack(path, fresh())).sha256).toBe(digest);
      else expect(await faultOf(path)).toMatch(/damaged or cut/);
    },
  );
});

describe('what can not be unpacked', () => {
  test('a file that is not compressed', async () => {
    expect(await faultOf(plain)).toMatch(/plain: error: not compressed in a way that is known here/);
  });

  test('no file, and a folder', async () => {
    expect(await faultOf(join(folder, 'nowhere.bz2'))).toMatch(/nowhere\.bz2: error: no such file/);
    expect(await faultOf(folder)).toMatch(/not a file: it is a directory/);
  });

  test.each(['xz', 'zstd'])('data of a missing %s', async (program) => {
    const magic = program === 'xz' ? 'fd377a585a000000' : '28b52ffd00000000';
    const path = write(`missing.${program}`, Buffer.from(magic, 'hex'));
    expect(await without(() => faultOf(path))).toMatch(
      new RegExp(`the program ${program} is missing\\n.*Debian package`),
    );
  });
});

test('nothing but what was asked for is in the folder', () => {
  expect(readdirSync(output).every((name) => name.startsWith('file-'))).toBe(true);
});
