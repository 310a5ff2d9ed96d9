import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { copySparse } from '../../../images/bytes/sparse-copy.js';
import { temporaryFolder } from '../../support/temporary.js';

const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test.each([0, 1, 4095, 4096, 4097, 1024 * 1024, 1024 * 1024 + 1, 5_000_000])('%i bytes', async (size) => {
  const folder = temporaryFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  const bytes = Buffer.alloc(size);
  for (let offset = 0; offset + 10 < size; offset += 300_000) bytes.write('some bytes', offset);
  writeFileSync(from, bytes);
  const seen: number[] = [];
  expect(await copySparse(from, to, new Pace(), (done) => seen.push(done))).toBe(sum(bytes));
  expect(readFileSync(to).equals(bytes)).toBe(true);
  expect(seen.at(-1) ?? 0).toBe(size);
  expect(statSync(to).mode & 0o777).toBe(0o666 & ~process.umask());
});

test('holes and zeros become holes', async () => {
  const folder = temporaryFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, Buffer.concat([Buffer.alloc(2_000_000), Buffer.from('end of data')]));
  truncateSync(from, 30_000_000);
  await copySparse(from, to, new Pace());
  expect(statSync(to).size).toBe(30_000_000);
  expect(statSync(to).blocks * 512).toBeLessThan(32 * 1024);
});

test('what is there already is not touched; what fails leaves nothing', async () => {
  const folder = temporaryFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, 'from');
  writeFileSync(to, 'mine');
  await expect(copySparse(from, to, new Pace())).rejects.toThrow('it exists already');
  expect(readFileSync(to, 'utf8')).toBe('mine');
  await expect(copySparse(join(folder, 'none'), join(folder, 'new'), new Pace())).rejects.toThrow(
    'no such file',
  );
  expect(existsSync(join(folder, 'new'))).toBe(false);
  class Cutter extends Pace {
    override due(): boolean {
      truncateSync(from, 10);
      return false;
    }
  }
  writeFileSync(from, Buffer.alloc(3_000_000, 'x'));
  await expect(copySparse(from, join(folder, 'new'), new Cutter())).rejects.toThrow('became shorter');
  expect(existsSync(join(folder, 'new'))).toBe(false);
});
