import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { byteString } from '../../../images/bytes/byte-string.js';
import type { ByteSink } from '../../../images/bytes/sparse-file.js';
import { DiagnosticError, formatDiagnostic } from '../../../images/diagnostic.js';
import { type PoolConfig, parsePoolConfig, printPoolConfig } from '../../../images/pool/config.js';
import {
  decodePoolLabel,
  LABEL_AREA_BYTES,
  labelsFor,
  type PoolLabel,
  readPoolLabel,
  writePoolLabel,
} from '../../../images/pool/label.js';
import { openPool, openPoolForWriting } from '../../../images/pool/pool.js';
import { golden } from '../../fixtures/golden.js';

const howto = 'poolname pool0\nsubpools 1\nsubpool 0 0 1 gfs_data\npooldevice 0 0 /dev/loop2 0\n';

function errorsOf(text: string): string[] {
  try {
    parsePoolConfig(text, 'pool.cf');
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics.map(formatDiagnostic);
    throw error;
  }
  return [];
}

describe('configuration', () => {
  test("the HOWTO's file, there and back", () => {
    expect(printPoolConfig(parsePoolConfig(howto, 'pool0.cf'))).toBe(howto);
  });

  test('comments, white space and an absent type and weight', () => {
    const text =
      '# my pool\n\n  poolname\tp  # its name\nminor 3\nsubpools 1\r\nsubpool 0 128 2\npooldevice 0 1 /dev/b\npooldevice 0 0 /dev/a 2\n';
    expect(parsePoolConfig(text, 'x')).toEqual({
      name: 'p',
      minor: 3,
      subpools: [{ id: 0, stripe: 128, devices: 2, type: 'gfs_data' }],
      devices: [
        { subpool: 0, id: 0, path: '/dev/a', weight: 2 },
        { subpool: 0, id: 1, path: '/dev/b', weight: 0 },
      ],
    });
  });

  const configs: fc.Arbitrary<PoolConfig> = fc
    .array(
      fc.record({
        devices: fc.integer({ min: 1, max: 4 }),
        stripe: fc.constantFrom(0, 16, 128),
        journal: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) => ({
      name: 'pool0',
      minor: parts.length,
      subpools: parts.map(({ devices, stripe, journal }, id) => ({
        id,
        stripe,
        devices,
        type: journal && id > 0 ? ('gfs_journal' as const) : ('gfs_data' as const),
      })),
      devices: parts.flatMap(({ devices }, subpool) =>
        Array.from({ length: devices }, (_, id) => ({
          subpool,
          id,
          path: `/dev/${subpool}.${id}`,
          weight: id,
        })),
      ),
    }));

  test('any configuration, there and back', () => {
    fc.assert(
      fc.property(configs, (config) => {
        expect(parsePoolConfig(printPoolConfig(config), 'x')).toEqual(config);
      }),
    );
  });

  test.each([
    ['poolnme pool0\n', 'pool.cf:1:1: error: unknown keyword "poolnme"', 'Did you mean "poolname"?'],
    [howto.replace('pool0', 'a/b'), 'pool.cf:1:10: error: a pool name is the name of a device', '^^^'],
    [
      howto.replace('subpools 1', 'subpools one'),
      'pool.cf:2:10: error: the number of subpools is "one"',
      '1 to 128',
    ],
    [howto.replace('subpools 1', 'subpools 2'), 'pool.cf:2:10: error: 2 subpools, but 1 subpool lines', '^'],
    [
      howto.replace('0 0 1 gfs_data', '0 3 1 gfs_data'),
      'pool.cf:3:11: error: a stripe of 3 sectors is no power of two',
      '',
    ],
    [
      howto.replace('gfs_data', 'gfs_dat'),
      'pool.cf:3:15: error: unknown subpool type "gfs_dat"',
      'Did you mean "gfs_data"?',
    ],
    [howto.replace('gfs_data', 'gfs_journal'), 'pool.cf:3:15: error: the first subpool is for data', ''],
    [
      howto.replace('0 0 1 gfs_data', '1 0 1 gfs_data'),
      'pool.cf:3:9: error: subpool 1 of 1: ids count from 0',
      '',
    ],
    [
      howto.replace('0 0 1 gfs_data', '0 0 2 gfs_data'),
      'pool.cf:3:13: error: subpool 0 has 2 devices, but 1 pooldevice lines',
      '',
    ],
    [howto.replace('pooldevice 0 0', 'pooldevice 1 0'), 'pool.cf:4:12: error: there is no subpool 1', ''],
    [
      howto.replace('pooldevice 0 0', 'pooldevice 0 1'),
      'pool.cf:4:14: error: device 1 of 1 in subpool 0',
      '',
    ],
    [
      `${howto}pooldevice 0 0 /dev/loop2 0\n`,
      'pool.cf:5:14: error: device 0 of subpool 0 is there twice',
      '',
    ],
    [`${howto}poolname again\n`, 'pool.cf:5:1: error: "poolname" is there already, in line 1', ''],
    [
      howto.replace('subpool 0 0 1 gfs_data', 'subpool 0 0'),
      'pool.cf:3:1: error: "subpool" takes 3 or 4 values, 2 given',
      'Usage: subpool ID STRIPE DEVICES [TYPE]',
    ],
    [
      howto.replace('/dev/loop2 0', '/dev/loop2 0 1'),
      'pool.cf:4:29: error: "pooldevice" takes 3 or 4 values, 5 given',
      '',
    ],
    [`${howto}minor 65\n`, 'pool.cf:5:7: error: the minor number is "65": a whole number from 0 to 64', ''],
    ['', 'pool.cf: error: no poolname line', ''],
  ])('%j', (text, error, more) => {
    const errors = errorsOf(text).join('\n');
    expect(errors).toContain(error);
    expect(errors).toContain(more);
  });

  test('a file of repetitions has one fault for each, and takes no long time', () => {
    const lines = 20_000;
    expect(errorsOf(`poolname p\nsubpools 1\n${'subpool 0 0 1\n'.repeat(lines)}`).length).toBeLessThan(
      3 * lines,
    );
    expect(errorsOf(howto + 'pooldevice 0 0 /dev/loop2 0\n'.repeat(lines)).length).toBeLessThan(3 * lines);
    const different = Array.from(
      { length: lines },
      (_, index) => `pooldevice ${index % 128} 0 /dev/${index}\n`,
    );
    expect(errorsOf(howto + different.join('')).length).toBeLessThan(3 * lines);
  }, 5000);

  test('what steers a terminal does not reach it, and the caret stays below its word', () => {
    const [error] = errorsOf('\x1b[2J \ud800\u2028 poolnam\x1b p\r\n');
    expect(error).toContain('\n  \ufffd[2J \ufffd\ufffd poolnam\ufffd p\n  ^^^^\n');
    expect(error).not.toContain('\x1b');
  });

  test('a comment goes to the end of its line, whatever is in it', () => {
    expect(printPoolConfig(parsePoolConfig(howto.replace('\n', ' # a\u2028b\rc\n'), 'x'))).toBe(howto);
  });

  test('a long word is not taken for a keyword', () => {
    expect(errorsOf('x'.repeat(1000))[0]).toContain('Known: poolname, ');
  });

  test('all faults at once, in the order of the lines, with the line and a caret', () => {
    const errors = errorsOf('poolname pool0\nsubpools x\n\tsubpol 0 0 1\npooldevice 0 0 /dev/a y\n');
    expect(errors.map((error) => error.split(': error')[0])).toEqual([
      'pool.cf:2:10',
      'pool.cf:3:2',
      'pool.cf:4:12',
      'pool.cf:4:23',
    ]);
    expect(errors[1]).toContain('\n  \tsubpol 0 0 1\n  \t^^^^^^\n  Did you mean "subpool"?');
  });
});

describe('labels', () => {
  const sample = Buffer.from(golden.pool_label.lvm2_test_device0_512_hex, 'hex');

  test('the golden label, byte for byte', () => {
    const label = decodePoolLabel(sample);
    expect(label).toEqual({
      poolId: 0x065fcfffb9f8248an,
      poolName: 'pool1',
      version: 0x00040103,
      subpools: 1,
      subpoolId: 0,
      devices: 2,
      deviceId: 0,
      type: 'gfs_data',
      blocks: 417744,
      striping: 0,
      dmepDevices: 0,
      dmepId: 0,
      weight: 0,
      minor: 0,
    });
    if (typeof label !== 'string') expect(writePoolLabel(label).equals(sample)).toBe(true);
  });

  test('the golden label, from the configuration that it was made of', () => {
    const config = parsePoolConfig(
      'poolname pool1\nsubpools 1\nsubpool 0 0 2 gfs_data\npooldevice 0 0 /a 0\npooldevice 0 1 /b 0\n',
      'x',
    );
    const size = LABEL_AREA_BYTES + 417744 * 512 + 5000;
    const [first, second] = labelsFor(config, [size, size], { poolId: 0x065fcfffb9f8248an });
    expect(first && writePoolLabel(first).equals(sample)).toBe(true);
    expect(second).toEqual({ ...first, deviceId: 1 });
  });

  test('any label, there and back', () => {
    const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const labels: fc.Arbitrary<PoolLabel> = fc.record({
      poolId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      poolName: fc
        .uint8Array({ minLength: 1, maxLength: 255 })
        .map((bytes) => byteString(bytes.map((byte) => byte || 1))),
      version: fc.integer({ min: 0, max: 255 }).map((update) => 0x00040100 + update),
      subpools: fc.constant(128),
      subpoolId: fc.integer({ min: 0, max: 127 }),
      devices: fc.constant(128),
      deviceId: fc.integer({ min: 0, max: 127 }),
      type: fc.constantFrom('data' as const, 'gfs_data' as const, 'gfs_journal' as const),
      blocks: fc.maxSafeNat(),
      striping: fc.integer({ min: -1, max: 31 }).map((power) => (power < 0 ? 0 : 2 ** power)),
      dmepDevices: uint32,
      dmepId: uint32,
      weight: uint32,
      minor: uint32,
    });
    fc.assert(
      fc.property(labels, (label) => {
        expect(decodePoolLabel(writePoolLabel(label))).toEqual(label);
      }),
    );
  });

  test('any bytes behind the magic are a label or a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), fc.boolean(), (random, isVersioned) => {
        const bytes = Buffer.from(random);
        sample.copy(bytes, 0, 0, 8);
        if (isVersioned) sample.copy(bytes, 272, 272, 276);
        try {
          readPoolLabel(new MemorySource(bytes, 'disk'));
        } catch (error) {
          expect(error).toBeInstanceOf(DiagnosticError);
        }
      }),
    );
  });

  test.each([
    ['another version', 272, '00050000', /version 0x50000/],
    ['an unknown type', 292, '12345678', /unknown subpool type 0x12345678/],
    ['a device that does not exist', 288, '00000002', /device 2 of 2/],
    ['a subpool that does not exist', 280, '00000001', /subpool 1 of 1/],
    ['a stripe that is no power of two', 304, '00000003', /a stripe of 3 sectors/],
    ['an absurd number of devices', 284, 'ffffffff', /device 0 of 4294967295/],
    ['a size beyond everything', 296, 'ffffffffffffffff', /its size/],
    ['more sectors than the device has', 296, '0000000000ffffff', /has only/],
  ] as const)('%s is refused', (_name, offset, hex, message) => {
    const bytes = Buffer.alloc(1024 * 1024);
    sample.copy(bytes);
    bytes.write(hex, offset, 'hex');
    expect(() => readPoolLabel(new MemorySource(bytes, 'disk'))).toThrowError(message);
  });

  test('sizes: whole groups of 16 sectors, whole stripes of the smallest device', () => {
    const config = parsePoolConfig(
      'poolname p\nsubpools 2\nsubpool 0 0 1\nsubpool 1 64 2\npooldevice 0 0 /a\npooldevice 1 0 /b\npooldevice 1 1 /c\n',
      'x',
    );
    const labels = labelsFor(config, [8192 + 100 * 512, 8192 + 1000 * 512, 8192 + 300 * 512]);
    expect(labels.map(({ blocks }) => blocks)).toEqual([96, 256, 256]);
    expect(new Set(labels.map(({ poolId }) => poolId)).size).toBe(1);
    expect(() => labelsFor(config, [8192, 1e6, 1e6])).toThrowError(/\/a: error: the device is too small/);
  });
});

/** A device in memory. */
class Disk implements ByteSink {
  readonly bytes: Buffer;
  constructor(
    readonly name: string,
    readonly size: number,
  ) {
    this.bytes = Buffer.alloc(size);
  }
  write(data: Uint8Array, offset: number): void {
    expect(offset).toBeGreaterThanOrEqual(LABEL_AREA_BYTES);
    this.bytes.set(data, offset);
  }
  flush(): void {}
}

function makeDisks(config: PoolConfig, sizes: readonly number[]): Disk[] {
  return labelsFor(config, sizes).map((label, index) => {
    const disk = new Disk(`disk${index}`, sizes[index]!);
    writePoolLabel(label).copy(disk.bytes);
    return disk;
  });
}

const sourcesOf = (disks: readonly Disk[]): MemorySource[] =>
  disks.map(({ bytes, name }) => new MemorySource(bytes, name));

describe('pools of several devices', () => {
  const text = 'poolname p\nsubpools 3\nsubpool 0 0 2\nsubpool 1 16 3\nsubpool 2 0 1 gfs_journal\n';
  const devices = [0, 0, 1, 1, 1, 2].map(
    (subpool, index, all) => `pooldevice ${subpool} ${index - all.indexOf(subpool)} /dev/${index}\n`,
  );
  const config = parsePoolConfig(text + devices.join(''), 'x');
  const sizes = [30000, 40000, 50000, 60000, 70000, 45000].map((size) => LABEL_AREA_BYTES + size);

  test('are one address space, which a naive reading of the format agrees with', () => {
    const disks = makeDisks(config, sizes);
    const labels = sourcesOf(disks).map(readPoolLabel);
    const bytes = labels.map(({ blocks }) => blocks * 512);
    // Sector by sector: concatenated devices one after the other, striped ones in turn.
    const expected: [device: number, sector: number][] = [];
    for (const device of [0, 1])
      for (let sector = 0; sector < bytes[device]! / 512; sector++) expected.push([device, sector]);
    for (let sector = 0; sector < (3 * bytes[2]!) / 512; sector++) {
      const stripe = Math.floor(sector / 16);
      expected.push([2 + (stripe % 3), Math.floor(stripe / 3) * 16 + (sector % 16)]);
    }
    for (let sector = 0; sector < bytes[5]! / 512; sector++) expected.push([5, sector]);
    for (const [index, [device, sector]] of expected.entries()) {
      disks[device]!.bytes.writeUInt32BE(index + 1, LABEL_AREA_BYTES + sector * 512);
    }
    const pool = openPool(sourcesOf(disks));
    expect(pool.size).toBe(expected.length * 512);
    const word = Buffer.alloc(4);
    for (let index = 0; index < expected.length; index++) {
      pool.readInto(word, index * 512);
      if (word.readUInt32BE(0) !== index + 1) expect.fail(`sector ${index} holds ${word.readUInt32BE(0)}`);
    }
    expect(pool.subpools.map(({ type, start, size }) => [type, start, size])).toEqual([
      ['gfs_data', 0, bytes[0]! + bytes[1]!],
      ['gfs_data', bytes[0]! + bytes[1]!, 3 * bytes[2]!],
      ['gfs_journal', pool.size - bytes[5]!, bytes[5]],
    ]);
  });

  test('read back what was written, in any order of the devices', () => {
    const disks = makeDisks(config, sizes);
    const sink = openPoolForWriting(sourcesOf(disks), disks);
    const expected = Buffer.alloc(sink.size);
    fc.assert(
      fc.property(
        fc.nat(sink.size),
        fc.nat(60000),
        fc.nat(255),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
        (offset, length, value, order) => {
          const data = Buffer.alloc(Math.min(length, sink.size - offset), value);
          sink.write(data, offset);
          data.copy(expected, offset);
          const whole = Buffer.alloc(sink.size);
          openPool(order.map((index) => sourcesOf(disks)[index]!)).readInto(whole, 0);
          expect(whole.equals(expected)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each([
    ['the size of a striped device', 3, 300, 'disk3: error: its label contradicts'],
    ['the stripe', 4, 304, 'disk4: error: its label contradicts'],
    ['the type', 1, 292, 'disk1: error: its label contradicts'],
    ['the number of devices', 1, 284, 'disk0: error: the pool "p" has 3 subpools; of subpool 0 2 of 2'],
    ['the number of subpools', 5, 276, 'disk5: error: it says'],
    ['the id', 2, 8, 'disk2: error: it belongs to the pool "p" with another id'],
  ] as const)('are refused when labels differ in %s', (_name, device, offset, message) => {
    const disks = makeDisks(config, sizes);
    const { bytes } = disks[device]!;
    const changes: Record<number, number> = { 300: 16, 304: 32, 292: 0, 284: 3, 276: 4, 8: 77 };
    bytes.writeUInt32BE(changes[offset]!, offset);
    expect(() => openPool(sourcesOf(disks))).toThrowError(message);
  });

  test('are refused when a device is missing, there twice, or of another pool', () => {
    const sources = sourcesOf(makeDisks(config, sizes));
    expect(() => openPool(sources.slice(1))).toThrowError(/of subpool 0 1 of 2 devices are given/);
    expect(() => openPool([...sources, sources[3]!])).toThrowError(
      /disk3: error: it is device 1 of subpool 1, and so is disk3/,
    );
    const other = makeDisks({ ...config, name: 'other' }, sizes);
    expect(() => openPool([...sources.slice(0, 5), sourcesOf(other)[5]!])).toThrowError(
      /disk5: error: it belongs to the pool "other"/,
    );
  });
});
