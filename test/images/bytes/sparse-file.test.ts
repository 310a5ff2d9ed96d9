import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DataMap } from '../../../images/bytes/data-map.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
let counter = 0;
const newPath = (): string => join(folder, `file-${counter++}`);

/** The same bytes, but zeros where the map has no data. */
function onlyData(bytes: Buffer, data: DataMap): Buffer {
  const result = Buffer.alloc(bytes.length);
  let last = -1;
  for (const { start, end } of data.ranges()) {
    expect(start).toBeGreaterThan(last);
    expect(end).toBeGreaterThan(start);
    bytes.copy(result, start, start, end);
    last = end;
  }
  expect(last).toBeLessThanOrEqual(bytes.length);
  return result;
}

describe('SparseFile', () => {
  test('any order of writes gives what the same writes to memory give', () => {
    const size = 3 * 1024 * 1024;
    const write = fc.record({
      offset: fc.integer({ min: 0, max: size }),
      length: fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 500_000, max: 1_200_000 })),
      value: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), fc.boolean(), (writes, fresh) => {
        const path = newPath();
        const expected = Buffer.alloc(size, fresh ? 0 : 7);
        if (!fresh) writeFileSync(path, expected);
        const file = fresh ? SparseFile.create(path, size) : SparseFile.open(path);
        for (const { offset, length, value } of writes) {
          const bytes = Buffer.alloc(Math.min(length, size - offset), value);
          file.write(bytes, offset);
          bytes.copy(expected, offset);
          bytes.fill(9);
        }
        file.close();
        expect(readFileSync(path).equals(expected)).toBe(true);
        expect(file.data !== undefined).toBe(fresh);
        if (file.data !== undefined) expect(onlyData(expected, file.data).equals(expected)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('zeros are holes', () => {
    const path = newPath();
    const file = SparseFile.create(path, 64 * 1024 * 1024);
    for (let offset = 0; offset < file.size; offset += 1024 * 1024)
      file.write(Buffer.alloc(1024 * 1024), offset);
    file.write(Buffer.alloc(4096, 1), 8 * 1024 * 1024);
    file.close();
    expect(statSync(path).size).toBe(64 * 1024 * 1024);
    expect(statSync(path).blocks * 512).toBeLessThanOrEqual(16 * 1024);
    const start = 8 * 1024 * 1024;
    expect([...(file.data?.ranges() ?? [])]).toEqual([{ start, end: start + 4096 }]);
  });

  test('data up to an end that is no whole unit', () => {
    const file = SparseFile.create(newPath(), 10_000);
    file.write(Buffer.from('x'), 9999);
    file.close();
    expect([...(file.data?.ranges() ?? [])]).toEqual([{ start: 8192, end: 10_000 }]);
  });

  test('a write outside is refused', () => {
    const file = SparseFile.create(newPath(), 100);
    expect(() => file.write(Buffer.alloc(2), 99)).toThrow(RangeError);
    file.close();
  });

  test('an existing file is not overwritten', () => {
    const path = newPath();
    writeFileSync(path, 'mine');
    expect(() => SparseFile.create(path, 100)).toThrow(/exists already/);
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });
});
