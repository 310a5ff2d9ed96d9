import { imageError, usageError } from '../../images/diagnostic.js';
import { isGfs2, isOpenGfs } from '../../images/gfs/superblock.js';
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
    if (!isOpenGfs(target.source) && !isGfs2(target.source)) {
      throw imageError(
        { file: image },
        'there is no OpenGFS or GFS2 filesystem to fill',
        'Make one first with "ssi-image mkfs_gfs", or with mkfs.gfs2.',
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
    await report(result, source, image, isGfs2(target.source));
  } finally {
    progress.done();
    opened.close();
  }
}

async function report(result: PopulateResult, source: string, image: string, gfs2: boolean): Promise<void> {
  await writeOut(
    `${image}: ${result.inodes} inodes and ${formatBytes(result.dataBytes)} of data from ${source}\n`,
  );
  if (result.notKept.length === 0) return;
  const [first] = result.notKept;
  const why = gfs2 ? 'for which GFS2 has no place' : 'which OpenGFS images here do not carry';
  process.stderr.write(
    `not kept: ${result.notKept.length} extended attributes, ${why} (the first: ${escapedName(first?.path ?? '')}: ${first?.what})\n`,
  );
}
