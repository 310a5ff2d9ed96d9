import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { possibleBlocks } from '../../../images/bzip2/scanner.js';
import { compiledParts } from './compiled-parts.js';
import { Bits, seeded, shortenRuns, slowCrc, sortedRotations } from './hand-made.js';

const random = seeded(2024);
const number = (below: number): number => Math.floor(random() * below);
const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => number(256)));

const { code, memory } = await compiledParts();
const input = code.input.value;

describe('checksums', () => {
  /** As files have it: between calls it is not yet inverted. */
  const ended = (crc: number): number => ~crc >>> 0;

  test('of any length, in any pieces', () => {
    const bytes = noise(300);
    memory.set(bytes, input);
    for (let length = 0; length <= bytes.length; length++) {
      const middle = input + number(length + 1);
      const crc = code.crcOf(code.crcOf(code.CRC_START.value, input, middle), middle, input + length);
      expect(ended(crc)).toBe(slowCrc(bytes.subarray(0, length)));
    }
  });

  test('of zeros that are not looked at', () => {
    const bytes = Buffer.concat([noise(9), Buffer.alloc(255)]);
    memory.set(bytes, input);
    const begun = code.crcOf(code.CRC_START.value, input, input + 9);
    for (let count = 0; count <= 255; count++)
      expect(ended(code.crcOfZeros(begun, count))).toBe(slowCrc(bytes.subarray(0, 9 + count)));
  });
});

test('moving bytes to the front', () => {
  const bytes = Array.from({ length: 256 }, (_, index) => (index * 7) & 255);
  memory.set(bytes, input);
  code.reset();
  for (let round = 0; round < 5000; round++) {
    const place = round < 256 ? round : number(256);
    const [byte] = bytes.splice(place, 1);
    bytes.unshift(byte!);
    expect(code.take(place)).toBe(byte);
  }
});

describe('sorted rotations', () => {
  /** What a single walk gives. */
  function walk(column: Uint8Array, origin: number): Buffer {
    const rows = Array.from(column, (byte, row) => ({ byte, row })).sort(
      (a, b) => a.byte - b.byte || a.row - b.row,
    );
    const text = Buffer.alloc(column.length);
    for (let at = 0, row = origin; at < text.length; at++) {
      text[at] = rows[row]!.byte;
      row = rows[row]!.row;
    }
    return text;
  }

  function undo(column: Uint8Array, origin: number): Buffer {
    const counts = new Uint32Array(256);
    const runs: number[] = [];
    for (let at = 0; at < column.length; ) {
      const byte = column[at]!;
      let end = at + 1;
      while (column[end] === byte) end++;
      counts[byte]! += end - at;
      runs.push(((end - at) << 8) | byte);
      at = end;
    }
    memory.set(new Uint8Array(counts.buffer), code.counts.value);
    memory.set(new Uint8Array(Uint32Array.from(runs).buffer), code.runs.value);
    code.closeRuns(runs.length, column.length);
    code.undoRotations(origin);
    return Buffer.from(memory.subarray(code.text.value, code.text.value + column.length));
  }

  test('of a text', () => {
    const text = [...noise(700)];
    const { column, origin } = sortedRotations(text);
    expect([...undo(Uint8Array.from(column), origin)]).toEqual(text);
  });

  // Most columns are of no text: their rows form several circles, of which the walk stays in one.
  test.each([1, 2, 1000, 16_383, 16_384, 16_385, 40_000, 65_536, 100_003])(
    'of any column of %d bytes',
    (length) => {
      const column = noise(length);
      for (const origin of [0, length - 1, number(length), Math.floor(length / 256) * 3 + 1].filter(
        (row) => row < length,
      ))
        expect(undo(column, origin).equals(walk(column, origin)), `origin ${origin}`).toBe(true);
    },
  );

  test.each([
    ['of equal bytes', 1, 50_000],
    ['of two', 2, 50_001],
    ['of three', 3, 100_000],
  ])('columns %s', (_name, kinds, length) => {
    const column = Buffer.from(Array.from({ length }, (_, index) => index % kinds));
    for (const origin of [0, 1, 777, length - 1])
      expect(undo(column, origin).equals(walk(column, origin)), `origin ${origin}`).toBe(true);
  });
});

describe('runs', () => {
  test('of all lengths come out whole, whatever the size of the pieces', () => {
    const data = Buffer.concat(
      Array.from({ length: 400 }, (_, n) => Buffer.alloc(n, n % 3 === 0 ? 0 : n & 3)),
    );
    const text = Uint8Array.from(shortenRuns(data));
    const output = code.output.value;
    memory.set(text, code.text.value);
    for (const size of [1, 2, 3, 5, 31, 64, 259, 1000, 65_536, 100_000]) {
      code.beginRuns(text.length);
      const pieces: Buffer[] = [];
      while (code.isDone() === 0)
        pieces.push(Buffer.from(memory.subarray(output, output + code.expand(size))));
      expect(Buffer.concat(pieces).equals(data), `pieces of ${size}`).toBe(true);
      expect(code.outputChecksum() >>> 0).toBe(slowCrc(data));
    }
  });
});

describe('the scanner', () => {
  const magic = '314159265359';

  test('finds a magic at any bit', () => {
    for (let before = 0; before < 80; before++) {
      const bits = new Bits().add(0, before).addHex(magic).add(0, 40).addHex(magic).addHex(magic);
      const found = [...possibleBlocks(new MemorySource(bits.toBuffer()))];
      expect(found).toEqual([before, before + 88, before + 136]);
    }
  });

  test('finds those that lie across its pieces', () => {
    const size = 2 * 1024 * 1024 + 100;
    for (let shift = -80; shift < 80; shift += 3) {
      const bytes = Buffer.alloc(size, 0x55);
      const place = 1024 * 1024 * 8 + shift;
      for (const [index, bit] of new Bits().addHex(magic).list.entries()) {
        const at = place + index;
        const mask = 0x80 >> (at & 7);
        bytes[at >> 3] = bit === 1 ? bytes[at >> 3]! | mask : bytes[at >> 3]! & ~mask;
      }
      expect([...possibleBlocks(new MemorySource(bytes))]).toEqual([place]);
    }
  });

  test('finds none where there is none', () => {
    expect([...possibleBlocks(new MemorySource(noise(500_000)))]).toEqual([]);
    expect([...possibleBlocks(new MemorySource(Buffer.alloc(0)))]).toEqual([]);
  });
});
