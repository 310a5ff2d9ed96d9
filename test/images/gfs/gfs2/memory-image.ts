import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pace } from '../../../../images/bytes/pace.js';
import { populate } from '../../../../images/gfs/writer.js';
import type { Tree } from '../../../../images/tree/tree.js';
import { makeGfs2 } from '../../../../pipelines/make-gfs2.js';
import { MemoryImage } from '../check/memory-image.js';

const MIB = 1024 ** 2;

/** What an image for a test may have different from others. */
export interface Gfs2ImageOptions {
  readonly mebibytes?: number;
  readonly blockSize?: number;
  readonly journals?: number;
}

/** A new GFS2 filesystem in memory, made by way of a file in `folder`, with a Tree in it when there is one. */
export async function makeGfs2Image(
  folder: string,
  { mebibytes = 24, blockSize = 1024, journals = 1 }: Gfs2ImageOptions = {},
  tree?: Tree,
): Promise<MemoryImage> {
  const path = join(folder, `${process.hrtime.bigint()}.gfs2`);
  const options = {
    size: mebibytes * MIB,
    lockProtocol: 'lock_nolock',
    lockTable: 'ssi:test',
    journals,
    journalMiB: 8,
    blockSize,
    time: 1_030_000_000,
  };
  await makeGfs2(path, options, { pace: new Pace() });
  const image = new MemoryImage(readFileSync(path));
  if (tree !== undefined) await populate(image, tree, { pace: new Pace() });
  return image;
}
