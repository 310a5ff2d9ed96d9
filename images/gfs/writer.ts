import type { Pace } from '../bytes/pace.js';
import { imageError } from '../diagnostic.js';
import type { Tree } from '../tree/tree.js';
import { commit, type Device } from './commit.js';
import { Gfs2Target } from './gfs2/target.js';
import { OpenGfsTarget } from './opengfs-target.js';
import { countBlocks } from './space.js';
import type { Excluded } from './suitability.js';
import { isGfs2 } from './superblock.js';
import type { PopulateTarget } from './target.js';
import { type PopulateOptions, TreeWriter } from './tree-writer.js';

export interface PopulateResult {
  /** Dinodes made. */
  readonly inodes: number;
  /** Bytes of file data written; holes are not. */
  readonly dataBytes: number;
  /** Blocks in use now, the filesystem's own included. */
  readonly blocks: number;
  /** What of the Tree this filesystem can't hold. */
  readonly notKept: readonly Excluded[];
}

/**
 * Fills an empty OpenGFS or GFS2 filesystem with a Tree: owners, modes, times, links, holes and device numbers as
 * they are; in GFS2 nanoseconds and extended attributes too. Each file is streamed once. Throws a DiagnosticError
 * before anything is written when the filesystem is not empty or too small (it says by how much), or when the Tree
 * has something that no such filesystem can hold.
 *
 * Until the last moment only free blocks are written: an error or an abort leaves an empty filesystem, as before.
 */
export async function populate(
  device: Device,
  tree: Tree,
  options: PopulateOptions,
): Promise<PopulateResult> {
  const { source, sink } = device;
  const target: PopulateTarget = isGfs2(source) ? new Gfs2Target(source) : new OpenGfsTarget(source);
  const { image, allocator } = target;
  await target.checkEmpty(options.pace);
  const notKept = target.excluded(tree);
  await checkSpace(target, tree, options.pace);
  const writer = new TreeWriter(image, allocator, sink, tree, target.format, options);
  await writer.write(target.root);
  commit(device, image.geometry.blockSize, target.finish(writer), target.remakeHint);
  const { inodes, dataBytes } = writer;
  return { inodes, dataBytes, blocks: allocator.usedBlocks, notKept };
}

async function checkSpace(target: PopulateTarget, tree: Tree, pace: Pace): Promise<void> {
  const { geometry, name } = target.image;
  const free = target.allocator.freeBlocks;
  const extra = target.extraBlocks(tree);
  if ((await countBlocks(geometry, tree, false, pace)) + extra <= free) return;
  // What the sources store does not fit; blocks of zeros among it need no room.
  const needed = (await countBlocks(geometry, tree, true, pace)) + extra;
  if (needed <= free) return;
  const mebibytes = (blocks: number): string => ((blocks * geometry.blockSize) / 1024 ** 2).toFixed(1);
  throw imageError(
    { file: name },
    `the content needs ${needed} blocks of ${geometry.blockSize} bytes (${mebibytes(needed)} MiB), but only ${free} (${mebibytes(free)} MiB) are free`,
    `Make the image at least ${Math.ceil(((needed - free) * geometry.blockSize) / 1024 ** 2)} MiB larger.`,
  );
}
