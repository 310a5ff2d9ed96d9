import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBytes } from '../../images/bytes/byte-source.js';
import { openPossiblyCompressed } from '../../pipelines/decompress.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, tool } from '../support/tools.js';

const folder = temporaryFolder();
const scratch = join(folder, 'scratch');
mkdirSync(scratch);

/** Data with a large hole in it. */
const data = Buffer.alloc(3_000_000);
for (let index = 0; index < 50_000; index++)
  data[index] = data[2_900_000 + index] = (index * 31 + (index >> 7)) & 0xff;
const plain = join(folder, 'plain');
writeFileSync(plain, data);

function compress(program: string): string {
  const path = join(folder, `data.${program}`);
  writeFileSync(path, execFileSync(tool(program), ['-c', plain], { maxBuffer: 1e8 }));
  return path;
}

async function readAll(path: string): Promise<Buffer> {
  const { source, close } = await openPossiblyCompressed(path, { scratch });
  const bytes = readBytes(source, 0, source.size);
  close();
  return bytes;
}

describe.each(['gzip', 'bzip2', 'xz', 'zstd'])('%s', (program) => {
  describeWith([program], 'data of the real program', () => {
    test('is read, and leaves nothing behind', async () => {
      const path = compress(program);
      expect((await readAll(path)).equals(data)).toBe(true);
      expect(readdirSync(scratch)).toEqual([]);
    });

    test('of several streams in a file', async () => {
      const bytes = readFileSync(compress(program));
      const path = join(folder, `twice.${program}`);
      writeFileSync(path, Buffer.concat([bytes, bytes]));
      expect((await readAll(path)).equals(Buffer.concat([data, data]))).toBe(true);
    });

    test('cut anywhere is refused by name', async () => {
      const bytes = readFileSync(compress(program));
      for (const length of [
        8,
        20,
        bytes.length >> 1,
        bytes.length - 20,
        bytes.length - 5,
        bytes.length - 1,
      ]) {
        const path = join(folder, `cut-${length}.${program}`);
        writeFileSync(path, bytes.subarray(0, length));
        await expect(readAll(path), `${length} of ${bytes.length} bytes`).rejects.toThrowError(
          new RegExp(`cut-${length}\\.${program}: (byte \\d+: )?error: damaged or cut ${program} data`),
        );
      }
      expect(readdirSync(scratch)).toEqual([]);
    });

    test('damaged is refused by name', async () => {
      const bytes = readFileSync(compress(program));
      bytes[bytes.length >> 1]! ^= 0x55;
      const path = join(folder, `damaged.${program}`);
      writeFileSync(path, bytes);
      await expect(readAll(path)).rejects.toThrowError(/damaged or cut/);
      expect(readdirSync(scratch)).toEqual([]);
    });
  });
});

test('what is not compressed is opened as it is', async () => {
  expect((await readAll(plain)).equals(data)).toBe(true);
});

test.each(['xz', 'zstd'])('a missing %s is named with its package', async (program) => {
  const path = join(folder, `missing.${program}`);
  writeFileSync(
    path,
    program === 'xz' ? Buffer.from('fd377a585a000000', 'hex') : Buffer.from('28b52ffd00000000', 'hex'),
  );
  const before = process.env.PATH;
  process.env.PATH = scratch;
  try {
    await expect(readAll(path)).rejects.toThrowError(
      new RegExp(`the program ${program} is missing\\n.*Debian package`),
    );
  } finally {
    process.env.PATH = before;
  }
});

test('an abort ends it, and leaves nothing behind', async () => {
  const path = join(folder, 'abort.gz');
  writeFileSync(path, execFileSync('gzip', ['-c', plain]));
  const controller = new AbortController();
  controller.abort();
  await expect(openPossiblyCompressed(path, { scratch, signal: controller.signal })).rejects.toThrowError(
    /interrupted/,
  );
  expect(readdirSync(scratch)).toEqual([]);
  expect(statSync(path).size).toBeGreaterThan(0);
});
