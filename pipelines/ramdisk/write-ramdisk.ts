import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { writeCpio } from '../../images/cpio/writer.js';
import { ext2Requirements, writeExt2 } from '../../images/ext2/writer.js';
import type { NotKept } from '../../images/tree/not-kept.js';
import type { Tree } from '../../images/tree/tree.js';
import { gzipFile, writeGzipFile } from '../gzip-file.js';

export interface WriteRamdiskOptions {
  /** The only clock: seconds since 1970. */
  readonly epoch: number;
  readonly pace: Pace;
  /** What messages call the ramdisk; its path by default. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

export interface WrittenRamdisk {
  /** Bytes that it has once the kernel has unpacked it. */
  readonly unpackedBytes: number;
  /** What of the tree the format can't hold. */
  readonly notKept: readonly NotKept[];
}

/** Room for what programs of the ramdisk make in it: passemble's devices. */
const SPARE_BYTES = 256 * 1024;
/** Linux 2.4 pads a ramdisk to nothing larger, and each file wastes less with small blocks. */
const BLOCK_BYTES = 1024;
/** What Linux 2.4 gives a ramdisk without being told (CONFIG_BLK_DEV_RAM_SIZE), in KiB. */
const RAMDISK_KIB = 4096;

/**
 * Writes a new file with a ramdisk as a cpio archive in gzip's format, which stores it only: each node unpacks it at each start,
 * all at the same time, which takes longer than to read twice as much. Throws a DiagnosticError; no file is left then.
 */
export async function writeCpioRamdisk(
  path: string,
  tree: Tree,
  { epoch, pace, name = path, signal }: WriteRamdiskOptions,
): Promise<WrittenRamdisk> {
  const options = { name, level: 0, ...(signal === undefined ? {} : { signal }) };
  const { bytes, notKept } = await writeGzipFile(
    path,
    (stream) => writeCpio(stream, tree, { epoch, pace, name }),
    options,
  );
  return { unpackedBytes: bytes, notKept };
}

/**
 * Writes a new file with a ramdisk as a gzipped ext2, as large as it needs to be. The image itself lies beside it
 * meanwhile. Throws a DiagnosticError; neither file is left then.
 */
export async function writeExt2Ramdisk(
  path: string,
  tree: Tree,
  { epoch, pace, name = path, signal }: WriteRamdiskOptions,
): Promise<WrittenRamdisk> {
  const image = `${path}.${randomBytes(4).toString('hex')}.ext2`;
  const options = { epoch, pace, name, blockSize: BLOCK_BYTES } as const;
  const { bytes } = await ext2Requirements(tree, options);
  const size = bytes + SPARE_BYTES;
  try {
    const file = SparseFile.create(image, size, { name });
    let notKept: readonly NotKept[];
    try {
      ({ notKept } = await writeExt2(file, tree, { ...options, label: 'ramdisk' }));
      file.close();
    } finally {
      file.abandon();
    }
    await gzipFile(image, path, { name, ...(signal === undefined ? {} : { signal }) });
    return { unpackedBytes: size, notKept };
  } finally {
    rmSync(image, { force: true });
  }
}

/** What has to stand on the command line of Linux 2.4 for a ramdisk of this size; undefined where nothing has to. */
export function ramdiskSizeArgument(unpackedBytes: number): string | undefined {
  const kibibytes = Math.ceil(unpackedBytes / 1024);
  return kibibytes <= RAMDISK_KIB ? undefined : `ramdisk_size=${kibibytes}`;
}
