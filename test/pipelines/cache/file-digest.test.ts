import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import type * as FileDigests from '../../../pipelines/cache/file-digest.js';
import { digestOfFile } from '../../../pipelines/cache/file-digest.js';
import { temporaryFolder } from '../../support/temporary.js';

test('what is no file is a clear error and not waited for', async () => {
  const folder = temporaryFolder();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await expect(digestOfFile(join(folder, 'pipe'), new Pace())).rejects.toThrow('it is no file');
  await expect(digestOfFile(folder, new Pace())).rejects.toThrow('it is no file');
  await expect(digestOfFile('/dev/zero', new Pace())).rejects.toThrow('it is no file');
  await expect(digestOfFile(join(folder, 'none'), new Pace())).rejects.toThrow('no such file');
});

test('the digest of a file whose writer knows what has data is that of all its bytes', async () => {
  const path = join(temporaryFolder(), 'file');
  const MIB = 1024 * 1024;
  const file = SparseFile.create(path, 5 * MIB + 7);
  const noise = randomBytes(MIB);
  const parts = [
    [0, 1],
    [4096, 10_000],
    [MIB - 5, 10],
    [3 * MIB, MIB],
    [5 * MIB + 6, 1],
  ] as const;
  for (const [offset, length] of parts) file.write(noise.subarray(0, length), offset);
  file.close();
  const known = { size: file.size, ranges: [...(file.data?.ranges() ?? [])] };
  const expected = { sha256: createHash('sha256').update(readFileSync(path)).digest('hex'), size: file.size };
  expect(await digestOfFile(path, new Pace(), known)).toEqual(expected);
  expect(await digestOfFile(path, new Pace())).toEqual(expected);
  // Data that the map does not have shows that nothing else is read.
  writeFileSync(path, 'x', { flag: 'r+', encoding: 'latin1' });
  const none = { size: file.size, ranges: [] };
  const zeros = createHash('sha256').update(Buffer.alloc(file.size)).digest('hex');
  expect(await digestOfFile(path, new Pace(), none)).toEqual({ sha256: zeros, size: file.size });
  // A map of a file of another length is of no use.
  appendFileSync(path, 'y');
  const whole = createHash('sha256').update(readFileSync(path)).digest('hex');
  expect((await digestOfFile(path, new Pace(), known)).sha256).toBe(whole);
});

describe('in a thread of its own', () => {
  // Threads run compiled code only.
  const compiled = pathToFileURL(join(process.cwd(), 'dist', 'pipelines', 'cache', 'file-digest.js')).href;
  const MIB = 1024 * 1024;

  function image(): { path: string; file: SparseFile } {
    const path = join(temporaryFolder(), 'image');
    const file = SparseFile.create(path, 100 * MIB + 3);
    for (const at of [0, 1, 50, 99]) file.write(randomBytes(MIB), at * MIB);
    file.close();
    return { path, file };
  }

  test('the same digest, with and without a map', async () => {
    const { digestOfFileAside } = (await import(compiled)) as typeof FileDigests;
    const { path, file } = image();
    const expected = await digestOfFile(path, new Pace());
    const known = { size: file.size, ranges: [...(file.data?.ranges() ?? [])] };
    expect(await digestOfFileAside(path, new Pace(), known)).toEqual(expected);
    const threads: unknown[] = [];
    process.once('worker', (thread) => threads.push(thread));
    expect(await digestOfFileAside(path, new Pace())).toEqual(expected);
    expect(threads).toHaveLength(1);
  });

  test('an abort ends it, and so does a file that is gone', async () => {
    const { digestOfFileAside } = (await import(compiled)) as typeof FileDigests;
    const { path } = image();
    const controller = new AbortController();
    const digesting = digestOfFileAside(path, new Pace(controller.signal));
    controller.abort();
    await expect(digesting).rejects.toThrow('interrupted');
    const aborted = digestOfFileAside(path, new Pace(controller.signal));
    await expect(aborted).rejects.toThrow('interrupted');
    rmSync(path);
    await expect(digestOfFileAside(path, new Pace())).rejects.toThrow('no such file');
  });
});
