import { rmSync } from 'node:fs';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { openExt2 } from '../../images/ext2/reader.js';
import {
  ext2Requirements,
  type WriteExt2Options,
  type WriteExt2Summary,
  writeExt2,
} from '../../images/ext2/writer.js';
import { treeOfFilesystem } from '../../images/tree/from-filesystem.js';
import type { Tree } from '../../images/tree/tree.js';

export type ImageOptions = Partial<WriteExt2Options> & {
  /** Bytes of the image; as few as hold the Tree by default. */
  readonly size?: number;
};

const defaults = { blockSize: 1024, epoch: 1_000_000_000 } as const;

/** Makes a new ext2 image; an image that was at `path` goes. */
export async function writeExt2Image(
  path: string,
  tree: Tree,
  { size, ...options }: ImageOptions = {},
): Promise<WriteExt2Summary> {
  const all = { ...defaults, pace: new Pace(), ...options };
  const bytes = size ?? (await ext2Requirements(tree, all)).bytes;
  rmSync(path, { force: true });
  const sink = SparseFile.create(path, bytes);
  try {
    return await writeExt2(sink, tree, all);
  } finally {
    sink.close();
  }
}

/** What our own reader finds in an image, while `body` runs. */
export async function withExt2Tree<T>(path: string, body: (tree: Tree) => Promise<T> | T): Promise<T> {
  const source = new FileSource(path);
  try {
    return await body(await treeOfFilesystem(openExt2(source), new Pace()));
  } finally {
    source.close();
  }
}
