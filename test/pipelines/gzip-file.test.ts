import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { gzipFile, writeGzipFile } from '../../pipelines/gzip-file.js';
import { temporaryFolder } from '../support/temporary.js';
import { run, testWith } from '../support/tools.js';

const folder = temporaryFolder();

/** A few megabytes that compress neither well nor badly. */
function sample(): Buffer {
  const pieces: Buffer[] = [];
  for (let index = 0; index < 40_000; index++) {
    pieces.push(
      createHash('sha256').update(`${index}`).digest(),
      Buffer.from('the same words over and over again'),
    );
  }
  return Buffer.concat(pieces);
}

test.each([6, 0])('the same bytes give the same file, however they are written: level %i', async (level) => {
  const bytes = sample();
  const from = join(folder, 'sample');
  writeFileSync(from, bytes);
  await gzipFile(from, join(folder, `a${level}.gz`), { level });
  const returned = await writeGzipFile(
    join(folder, `b${level}.gz`),
    async (stream) => {
      // The buffer is used again for each piece: what was written must have been taken by then.
      const buffer = Buffer.alloc(70_001);
      for (let offset = 0; offset < bytes.length; offset += buffer.length) {
        const count = bytes.copy(buffer, 0, offset, offset + buffer.length);
        await stream.write(buffer.subarray(0, count));
      }
      return 'result';
    },
    { level },
  );
  expect(returned).toBe('result');
  const [a, b] = [readFileSync(join(folder, `a${level}.gz`)), readFileSync(join(folder, `b${level}.gz`))];
  expect(a.equals(b)).toBe(true);
  expect(gunzipSync(a).equals(bytes)).toBe(true);
  // No time and no name in the header (RFC 1952, 2.3).
  expect(a.subarray(3, 8)).toEqual(Buffer.alloc(5));
});

testWith(['gzip'], 'gzip takes it', () => {
  const file = join(folder, 'c.gz');
  return writeGzipFile(file, (stream) => stream.write(sample())).then(() => {
    expect(run('gzip', ['-t', file])).toBe('');
  });
});

test('what fails leaves no file', async () => {
  const file = join(folder, 'failed.gz');
  const failed = writeGzipFile(file, async (stream) => {
    await stream.write(sample());
    throw new Error('no more');
  });
  await expect(failed).rejects.toThrowError('no more');
  expect(existsSync(file)).toBe(false);
});

test('an abort ends it and leaves no file', async () => {
  const file = join(folder, 'aborted.gz');
  const controller = new AbortController();
  const aborted = writeGzipFile(
    file,
    async (stream) => {
      for (;;) {
        await stream.write(sample());
        controller.abort();
      }
    },
    { signal: controller.signal },
  );
  await expect(aborted).rejects.toThrowError(/interrupted/);
  expect(existsSync(file)).toBe(false);
});

test('a file that is there stays', async () => {
  const file = join(folder, 'there');
  writeFileSync(file, 'mine');
  await expect(writeGzipFile(file, async () => {})).rejects.toThrowError(/there: error: it exists already/);
  await expect(gzipFile(join(folder, 'none'), join(folder, 'x.gz'))).rejects.toThrowError(/no such file/);
  expect(readFileSync(file, 'utf8')).toBe('mine');
  expect(existsSync(join(folder, 'x.gz'))).toBe(false);
});
