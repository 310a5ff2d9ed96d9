import { type ByteSource, MemorySource } from '../../../../images/bytes/byte-source.js';
import { Pace } from '../../../../images/bytes/pace.js';
import type { ByteSink } from '../../../../images/bytes/sparse-file.js';
import { MKFS_DEFAULTS, type MkfsOptions, makeFilesystem } from '../../../../images/gfs/mkfs.js';
import { populate } from '../../../../images/gfs/writer.js';
import type { Tree } from '../../../../images/tree/tree.js';

const MIB = 1024 ** 2;

/** An image in memory that is read, written and damaged in place. */
export class MemoryImage {
  readonly source: ByteSource;
  readonly sink: ByteSink;

  constructor(readonly bytes: Buffer) {
    this.source = new MemorySource(bytes, 'image');
    this.sink = {
      name: 'image',
      size: bytes.length,
      write: (piece, offset) => bytes.set(piece, offset),
      flush: () => {},
    };
  }
}

/** Small journals and one resource group a section: what fits into memory. */
export const SMALL: MkfsOptions = {
  ...MKFS_DEFAULTS,
  journals: 2,
  journalMiB: 1,
  resourceGroupMiB: 256,
  expert: true,
  lockProtocol: 'memexp',
  lockTable: '/dev/pool/pool0cidev',
  time: 1_030_000_000,
};

/** A new filesystem in memory, with a Tree in it when there is one. */
export async function makeImage(
  mebibytes: number,
  options: Partial<MkfsOptions> = {},
  tree?: Tree,
): Promise<MemoryImage> {
  const image = new MemoryImage(Buffer.alloc(mebibytes * MIB));
  makeFilesystem(image.sink, { ...SMALL, ...options });
  if (tree !== undefined) await populate(image, tree, { pace: new Pace() });
  return image;
}
