import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { DiagnosticError, formatDiagnostic } from '../../../images/diagnostic.js';
import { type LockTable, parseLockTable, printLockTable } from '../../../images/lock-table/config.js';
import { readEnvelope, writeEnvelope } from '../../../images/lock-table/envelope.js';

/** The listing of the HOWTO, section 5.2. */
const listing = `datadev:        /dev/pool/pool0
cidev:          /dev/pool/pool0cidev
lockdev:        192.168.50.101:15697
cbport:         3001
timeout:        30
STOMITH: NUN
name:none
node: 192.168.50.1      1       SM: none
node: 192.168.50.2      2       SM: none
node: 192.168.50.3      3       SM: none
node: 192.168.50.4      4       SM: none
node: 192.168.50.5      5       SM: none
node: 192.168.50.6      6       SM: none
node: 192.168.50.7      7       SM: none
node: 192.168.50.8      8       SM: none
node: 192.168.50.9      9       SM: none
node: 192.168.50.10     10      SM: none
node: 192.168.50.11     11      SM: none
node: 192.168.50.12     12      SM: none
node: 192.168.50.13     13      SM: none
node: 192.168.50.14     14      SM: none
node: 192.168.50.15     15      SM: none
`;

/** The same with three of its nodes. */
const howto = listing.replace(/node: 192\.168\.50\.(?!1 |2 |10 ).*\n/g, '');

function errorsOf(text: string): string[] {
  try {
    parseLockTable(text, 'gfscf.cf');
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics.map(formatDiagnostic);
    throw error;
  }
  return [];
}

describe('the grammar', () => {
  test("the HOWTO's listing, there and back", () => {
    expect(printLockTable(parseLockTable(listing, 'gfscf.cf'))).toBe(listing);
    // The text of the HOWTO fills its lines with blanks.
    const filled = listing.replace(/^.*$/gm, (line) => line.padEnd(77));
    expect(printLockTable(parseLockTable(filled, 'gfscf.cf'))).toBe(listing);
  });

  test('SM methods are kept as they are', () => {
    const table = parseLockTable(howto.replace('SM: none', 'SM:\tapc1  3\t x # comment'), 'gfscf.cf');
    expect(table.nodes[0]?.sm).toBe('apc1  3\t x');
    expect(parseLockTable(printLockTable(table), 'x')).toEqual(table);
  });

  test('any table, there and back', () => {
    const byte = fc.integer({ min: 1, max: 254 });
    const tables: fc.Arbitrary<LockTable> = fc.record({
      datadev: fc.constant('/dev/pool/a'),
      cidev: fc.constant('/dev/pool/b'),
      lockdev: fc
        .tuple(byte, fc.integer({ min: 1, max: 65535 }))
        .map(([last, port]) => `10.0.0.${last}:${port}`),
      cbport: fc.integer({ min: 1, max: 65535 }),
      timeout: fc.integer({ min: 1, max: 86400 }),
      stomith: fc.constantFrom('NUN', 'APC'),
      name: fc.constantFrom('none', 'apc1'),
      nodes: fc
        .uniqueArray(byte, { minLength: 1, maxLength: 20 })
        .map((ids) =>
          ids.map((id) => ({ ip: `192.168.50.${id}`, cid: id, sm: id % 2 === 0 ? 'none' : 'apc1 3' })),
        ),
    });
    fc.assert(
      fc.property(tables, (table) => {
        expect(parseLockTable(printLockTable(table), 'x')).toEqual(table);
      }),
    );
  });

  test.each([
    [howto.replace('cidev:', 'cidv:'), 'gfscf.cf:2:1: error: unknown key "cidv"', 'Did you mean "cidev"?'],
    [
      howto.replace(':15697', ''),
      'gfscf.cf:3:17: error: lockdev is "192.168.50.101": IP:PORT belongs here',
      '',
    ],
    [howto.replace('15697', '70000'), 'gfscf.cf:3:17: error: lockdev is', ''],
    [howto.replace('3001', 'x'), 'gfscf.cf:4:17: error: cbport is "x": a whole number from 1 to 65535', '^'],
    [howto.replace('timeout:        30', 'timeout: 0'), 'gfscf.cf:5:10: error: timeout is "0"', ''],
    [
      howto.replace('timeout:        30', 'timeout:'),
      'gfscf.cf:5:1: error: "timeout" takes one value, 0 given',
      '',
    ],
    [
      howto.replace('timeout:        30', 'timeout 30'),
      'gfscf.cf:5:1: error: "timeout" is not followed by a colon',
      '',
    ],
    [howto.replace('timeout:        30\n', ''), 'gfscf.cf: error: no timeout line', 'Add: timeout: VALUE'],
    [
      howto.replace('192.168.50.2 ', '192.168.50.1 '),
      'gfscf.cf:9:7: error: 192.168.50.1 is a node already, in line 8',
      '',
    ],
    [
      howto.replace('2       SM', '1       SM'),
      'gfscf.cf:9:25: error: client number 1 is taken already, in line 8',
      '',
    ],
    [howto.replace('2       SM', '0       SM'), 'gfscf.cf:9:25: error: the client number is "0"', ''],
    [
      howto.replace('192.168.50.2 ', '192.168.50.256 '),
      'gfscf.cf:9:7: error: "192.168.50.256" is no IPv4 address',
      '',
    ],
    [
      howto.replace('2       SM: none', '2'),
      'gfscf.cf:9:25: error: a node line is incomplete',
      'Usage: node: IP CID SM: none',
    ],
    [
      howto.replace('/dev/pool/pool0\n', 'pool0\n'),
      'gfscf.cf:1:17: error: datadev is "pool0": an absolute path',
      '',
    ],
    [`${howto}name: again\n`, 'gfscf.cf:11:1: error: "name" is there already, in line 7', ''],
    [howto.replace(/node.*\n/g, ''), 'gfscf.cf: error: no node line', ''],
  ])('%#: %s', (text, error, more) => {
    const errors = errorsOf(text).join('\n');
    expect(errors).toContain(error);
    expect(errors).toContain(more);
  });

  test('a file of repetitions has one fault for each, and takes no long time', () => {
    const lines = 20_000;
    expect(errorsOf(howto + 'node: 1.1.1.1 4 SM: none\n'.repeat(lines)).length).toBeLessThan(3 * lines);
  }, 5000);

  test('all faults at once', () => {
    expect(
      errorsOf(howto.replace('3001', 'x').replace('192.168.50.1 ', '1.2.3 ').replace('cidev', 'cide')).length,
    ).toBe(4);
  });
});

describe('the envelope', () => {
  function write(text: string, size = 4 * 1024 * 1024): Buffer {
    const bytes = Buffer.alloc(size);
    writeEnvelope(
      { name: 'cidev', size, write: (data, offset) => bytes.set(data, offset), flush: () => {} },
      text,
    );
    return bytes;
  }
  const read = (bytes: Buffer) => readEnvelope(new MemorySource(bytes, 'cidev'));

  test('gives back the text', () => {
    expect(read(write(howto))?.text).toBe(howto);
    expect(read(write(howto))?.config.nodes.length).toBe(3);
  });

  test('is not there on an empty device', () => {
    expect(read(Buffer.alloc(4096))).toBeUndefined();
    expect(read(Buffer.alloc(10))).toBeUndefined();
  });

  test('holds nothing but a lock table: the image is at fault otherwise', () => {
    for (const text of ['\x1b[2Jnonsense\n', '', 'node: 1.1.1.1 1 SM: a\n'.repeat(40_000)]) {
      let error: unknown;
      try {
        read(write(text));
      } catch (cause) {
        error = cause;
      }
      expect(error).toBeInstanceOf(DiagnosticError);
      const { diagnostics, message } = error as DiagnosticError;
      expect(diagnostics.map(({ kind }) => kind)).toEqual(['image']);
      expect(message).toMatch(/^cidev: byte 0: error: lock table: its text is no lock table: /);
      expect(message).not.toContain('\x1b');
    }
  }, 5000);

  test('does not fit a device that is too small', () => {
    expect(() => write(howto, 300)).toThrowError(/needs \d+ bytes, the cidev cidev has 300/);
  });

  test.each([
    ['the version', 27, /version 3 of the envelope/],
    ['the length', 28, /bytes of text do not fit/],
    ['the digest', 40, /does not match its digest/],
    ['the text', 70, /does not match its digest/],
  ] as const)('notices damage of %s', (_name, offset, message) => {
    const bytes = write(howto);
    bytes[offset]! ^= 2;
    if (offset === 28) bytes[offset] = 0x7f;
    expect(() => read(bytes)).toThrowError(message);
  });
});
