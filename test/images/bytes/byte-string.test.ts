import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  byteString,
  byteStringFromText,
  bytesOf,
  textFromByteString,
} from '../../../images/bytes/byte-string.js';

describe('byte strings', () => {
  test('any bytes survive the way to text, through JSON, and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = JSON.parse(JSON.stringify(textFromByteString(byteString(bytes)))) as string;
        expect(bytesOf(byteStringFromText(text))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('any text survives the way to bytes and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        expect(textFromByteString(byteStringFromText(text))).toBe(text);
      }),
    );
  });

  test('bytes that are not UTF-8 become what Python calls surrogateescape', () => {
    expect(textFromByteString('caf\xc3\xa9')).toBe('café');
    expect(textFromByteString('caf\xe9')).toBe('caf\udce9');
    expect(textFromByteString('\xed\xb3\xa9')).toBe('\udced\udcb3\udca9');
  });

  test('they sort as their bytes do', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        const [left, right] = [byteString(a), byteString(b)];
        expect(left < right ? -1 : left > right ? 1 : 0).toBe(Buffer.compare(a, b));
      }),
    );
  });
});
