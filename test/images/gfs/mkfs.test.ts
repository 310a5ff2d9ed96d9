import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource, readBytes } from '../../../images/bytes/byte-source.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { isZero } from '../../../images/bytes/zeros.js';
import { hashOfName } from '../../../images/gfs/dirent.js';
import { makeFilesystem } from '../../../images/gfs/mkfs.js';
import { type GoldenImage, golden, goldenOptions } from '../../fixtures/golden.js';
import { piecesOfFile } from '../../support/file-pieces.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();

function makeGolden(name: string, image: GoldenImage): string {
  const path = join(folder, name);
  const file = SparseFile.create(path, image.parameters.size_bytes);
  const result = makeFilesystem(file, goldenOptions(image));
  file.close();
  expect(result.allocatableBlocks).toBe(image.reported_filesystem_size_blocks);
  expect(result.journals.map(({ address, segments }) => [address, segments])).toEqual(
    image.journals.map(({ addr, nsegment }) => [addr, nsegment]),
  );
  expect(result.resourceGroups).toEqual(
    image.rgrps.map(({ addr, length, data1, data, bitbytes }) => ({
      address: addr,
      length,
      firstData: data1,
      data,
      bitmapBytes: bitbytes,
    })),
  );
  return path;
}

function sha256OfFile(path: string): string {
  const hash = createHash('sha256');
  for (const [piece] of piecesOfFile(path, 1024 * 1024)) hash.update(piece);
  return hash.digest('hex');
}

describe('mkfs writes what the historical tool wrote', () => {
  const withDigest = Object.entries(golden.images).filter(
    ([, image]) => image.whole_image_sha256 !== undefined,
  );
  expect(withDigest.length).toBe(12);

  test.each(withDigest)('%s, byte for byte', (name, image) => {
    const path = makeGolden(name, image);
    expect(sha256OfFile(path)).toBe(image.whole_image_sha256);
  });

  test.each(Object.entries(golden.images))(
    '%s: every block that is not zero, and no other',
    (name, image) => {
      const path = makeGolden(`${name}.blocks`, image);
      const source = new FileSource(path);
      const { block_size: blockSize } = image.parameters;
      for (const [address, { sha256 }] of Object.entries(image.metadata_blocks)) {
        const block = readBytes(source, Number(address) * blockSize, blockSize);
        expect(createHash('sha256').update(block).digest('hex'), `block ${address}`).toBe(sha256);
      }
      const nonZero = new Set(
        image.nonzero_block_ranges.flatMap(([first, count, step]) =>
          Array.from({ length: count }, (_, index) => first + index * step),
        ),
      );
      expect(nonZero.size).toBe(image.nonzero_block_count);
      source.close();
      let found = 0;
      for (const [piece, offset] of piecesOfFile(path, 1024 * 1024)) {
        if (isZero(piece)) continue;
        for (let within = 0; within + blockSize <= piece.length; within += blockSize) {
          if (isZero(piece.subarray(within, within + blockSize))) continue;
          found += 1;
          if (!nonZero.has((offset + within) / blockSize))
            expect.fail(`block ${(offset + within) / blockSize} is not zero`);
        }
      }
      expect(found).toBe(image.nonzero_block_count);
    },
  );
});

describe('refusals, with what to do', () => {
  const howto = goldenOptions(golden.images['howto-2g']!);
  test.each([
    ['journals under 32 MiB', { journalMiB: 31 }, /journals of 31 MiB are too small/],
    ['resource groups under 32 MiB', { resourceGroupMiB: 31 }, /resource groups of 31 MiB/],
    ['resource groups over 2 GiB', { resourceGroupMiB: 2049 }, /resource groups of 2049 MiB/],
    ['a block size that is no power of two', { blockSize: 3000 }, /block size 3000/],
    ['a block size of 256', { blockSize: 256 }, /block size 256/],
    ['segments of one block', { segmentBlocks: 1 }, /segment of 1 blocks/],
    ['no journal', { journals: 0 }, /at least one journal/],
    ['journals larger than the device', { journals: 65 }, /65 journals of 32 MiB need 2080 MiB/],
    ['sections under 100 blocks', { journals: 64 }, /at least 100/],
    ['a long lock table', { lockTable: 'x'.repeat(64) }, /lock table \(-t\) has 64 bytes/],
    ['an unknown protocol', { lockProtocol: 'memexpp' }, /unknown lock protocol/],
    ['an unknown format', { filesystemFormat: 1310 }, /no OpenGFS format/],
  ] as const)('%s', (name, change, message) => {
    const file = SparseFile.create(join(folder, name), 2 * 1024 ** 3);
    expect(() => makeFilesystem(file, { ...howto, ...change })).toThrowError(message);
    file.close();
  });

  test('expert mode takes any protocol and small journals', () => {
    const file = SparseFile.create(join(folder, 'expert'), 64 * 1024 ** 2);
    const options = {
      ...howto,
      expert: true,
      journals: 1,
      journalMiB: 1,
      lockProtocol: 'other',
      resourceGroupMiB: 1,
    };
    expect(makeFilesystem(file, options).journals.length).toBe(1);
    file.close();
  });
});

test.each(Object.entries(golden.dir_hash_vectors))('hash of "%s"', (name, hash) => {
  expect(hashOfName(name).toString(16).padStart(8, '0')).toBe(hash);
});
