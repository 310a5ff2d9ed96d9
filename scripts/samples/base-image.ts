import { join } from 'node:path';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { type WriteExt2Summary, writeExt2 } from '../../images/ext2/writer.js';
import { baseTree } from './base-tree.js';
import { readDescription } from './description.js';

const MEBIBYTE = 1024 ** 2;

/**
 * Makes the sample's base image, a new file at `path`, from what lies in `folder` (`recipes/sample`). The same at
 * every run and on every host.
 */
export async function makeBaseImage(folder: string, path: string): Promise<WriteExt2Summary> {
  const base = join(folder, 'base');
  const description = readDescription(base);
  const { mebibytes, ...options } = description.image;
  const sink = SparseFile.create(path, mebibytes * MEBIBYTE);
  try {
    const summary = await writeExt2(sink, baseTree(base, description), { ...options, pace: new Pace() });
    if (summary.notKept.length > 0) throw new Error(`ext2 does not hold ${summary.notKept[0]?.what}`);
    return summary;
  } finally {
    sink.close();
  }
}
