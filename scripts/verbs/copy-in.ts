import { imageError, usageError } from '../../images/diagnostic.js';
import { OPENGFS_FIDELITY } from '../../images/gfs/reader.js';
import { isOpenGfs } from '../../images/gfs/superblock.js';
import { type PopulateResult, populate } from '../../images/gfs/writer.js';
import { escapedName } from '../../images/tree/listing.js';
import { openTree, sameFile } from '../../pipelines/open-image.js';
import { openWritable, type WritableImage } from '../../pipelines/writable-image.js';
import { commandPace, formatBytes, writeOut } from '../command-line/output.js';
import { byteProgress } from '../command-line/progress.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

/** `ssi-image copy-in`: fills an empty filesystem from a directory, a tar or another image. */
export async function copyIn(
  source: string,
  image: string,
  options: { poolDevice?: string[] },
): Promise<number> {
  const target = openWritable(image, options.poolDevice);
  try {
    if (sameFile(source, image)) throw usageError(`${source} and ${image} are the same file`);
    if (!isOpenGfs(target.source)) {
      throw imageError(
        { file: image },
        'there is no OpenGFS filesystem to fill',
        'Make one first with "ssi-image mkfs_gfs".',
      );
    }
    await fill(target, source, image);
    target.close();
    return ExitCode.done;
  } finally {
    target.abandon();
  }
}

/** Copies a directory, tar or image into an open, empty filesystem and says what was done. */
export async function fill(target: WritableImage, source: string, image: string): Promise<void> {
  const pace = commandPace();
  const opened = await openTree(source, { pace, signal: interruptionSignal });
  const progress = byteProgress(`copy-in ${image}`);
  try {
    const result = await populate(target, opened.tree, { pace, onProgress: progress.update });
    progress.done();
    await report(result, source, image);
  } finally {
    progress.done();
    opened.close();
  }
}

async function report(result: PopulateResult, source: string, image: string): Promise<void> {
  await writeOut(
    `${image}: ${result.inodes} inodes and ${formatBytes(result.dataBytes)} of data from ${source}\n`,
  );
  if (OPENGFS_FIDELITY.xattrs || result.notKept.length === 0) return;
  const [first] = result.notKept;
  process.stderr.write(
    `not kept: ${result.notKept.length} extended attributes, which OpenGFS images here do not carry (the first: ${escapedName(first?.path ?? '')}: ${first?.what})\n`,
  );
}
