import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource } from '../../../../images/bytes/byte-source.js';
import { Pace } from '../../../../images/bytes/pace.js';
import { SparseFile } from '../../../../images/bytes/sparse-file.js';
import { checkOpenGfs } from '../../../../images/gfs/check/check.js';
import { makeFilesystem } from '../../../../images/gfs/mkfs.js';
import { golden, goldenOptions } from '../../../fixtures/golden.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { MemoryImage, makeImage, SMALL } from './memory-image.js';
import { richTree } from './rich-tree.js';

const folder = temporaryFolder();

test.each(Object.entries(golden.images))('an empty filesystem has no fault: %s', async (name, image) => {
  const { parameters } = image;
  const path = join(folder, name);
  const file = SparseFile.create(path, parameters.size_bytes);
  makeFilesystem(file, goldenOptions(image));
  file.close();
  const source = new FileSource(path);
  const started = performance.now();
  const result = await checkOpenGfs(source, { pace: new Pace() });
  expect(result.faults).toEqual([]);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(result).toMatchObject({
    truncated: false,
    inodes: 5,
    directories: 1,
    files: 0,
    blocksUsed: image.rgrps.reduce((sum, group) => sum + group.useddi + group.usedmeta, 0),
  });
  source.close();
});

test.each([512, 1024, 4096])(
  'resource groups for which no length of the bitmap fits exactly: blocks of %i bytes',
  async (blockSize) => {
    // One block more of bitmap would leave too little to fill it; one less leaves too much.
    const firstBitmapBytes = blockSize - 128;
    const section = 4 * firstBitmapBytes + 5;
    const image = new MemoryImage(Buffer.alloc((2 * section + 2048) * blockSize));
    makeFilesystem(image.sink, {
      ...SMALL,
      blockSize,
      journals: 1,
      journalMiB: (2048 * blockSize) / 1024 ** 2,
    });
    const result = await checkOpenGfs(image.source, { pace: new Pace() });
    expect(result.faults).toEqual([]);
  },
);

describe('a filesystem with everything in it has no fault', () => {
  test.each([512, 1024, 2048, 4096, 16384, 65536])('blocks of %i bytes', async (blockSize) => {
    const tree = richTree(blockSize);
    const large = blockSize > 4096;
    const image = await makeImage(large ? 128 : 48, { blockSize, journalMiB: large ? 8 : 1 }, tree);
    const result = await checkOpenGfs(image.source, { pace: new Pace() });
    expect(result.faults).toEqual([]);
    const nodes = new Set([...tree.entries()].map(({ node }) => node));
    const ofType = (type: string) => [...nodes].filter((node) => node.type === type).length;
    expect(result.inodes).toBe(nodes.size + 4);
    expect(result.directories).toBe(ofType('directory'));
    expect(result.files).toBe(ofType('file'));
  });
});
