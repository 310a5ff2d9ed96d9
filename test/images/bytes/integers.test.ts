import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readInt64BE, readUint64BE, readUint64LE, writeInt64BE } from '../../../images/bytes/integers.js';

const safe = fc.maxSafeInteger();

test('signed 64 bits survive the way to disk and back', () => {
  fc.assert(
    fc.property(safe, (value) => {
      const bytes = Buffer.alloc(8);
      writeInt64BE(bytes, value, 0);
      expect(bytes.readBigInt64BE(0)).toBe(BigInt(value));
      expect(readInt64BE(bytes, 0)).toBe(value);
    }),
  );
});

test('unsigned values from 2^53 on are Infinity, never a rounded number', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const bytes = Buffer.alloc(16);
      bytes.writeBigUInt64BE(value, 0);
      bytes.writeBigUInt64LE(value, 8);
      const expected = value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.POSITIVE_INFINITY;
      expect(readUint64BE(bytes, 0)).toBe(expected);
      expect(readUint64LE(bytes, 8)).toBe(expected);
    }),
  );
});

test('a value that is no safe integer is not written', () => {
  expect(() => writeInt64BE(Buffer.alloc(8), 2 ** 53, 0)).toThrow(RangeError);
  expect(() => writeInt64BE(Buffer.alloc(8), 0.5, 0)).toThrow(RangeError);
});
