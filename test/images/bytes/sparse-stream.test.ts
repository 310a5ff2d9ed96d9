import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SparseStream } from '../../../images/bytes/sparse-stream.js';
import { temporaryFolder } from '../../support/temporary.js';

test('zeros that are only told, between bytes at any place, are holes where holes can be', () => {
  const path = join(temporaryFolder(), 'file');
  const noise = randomBytes(10_000);
  const stream = new SparseStream(path);
  const expected: Buffer[] = [];
  const append = (bytes: Buffer): void => {
    stream.append(bytes);
    expected.push(bytes);
  };
  const skip = (count: number): void => {
    stream.skip(count);
    expected.push(Buffer.alloc(count));
  };
  append(noise.subarray(0, 100));
  skip(5000);
  append(noise.subarray(0, 1));
  skip(1);
  append(Buffer.concat([noise.subarray(0, 4000), Buffer.alloc(9000), noise]));
  skip(1_000_000);
  append(Buffer.alloc(3));
  skip(777);
  expect(stream.size).toBe(Buffer.concat(expected).length);
  stream.close();
  expect(readFileSync(path).equals(Buffer.concat(expected))).toBe(true);
  expect(statSync(path).blocks * 512).toBeLessThan(64 * 1024);
});
