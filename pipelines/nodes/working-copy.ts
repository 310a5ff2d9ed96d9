import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { copyFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { copySparse } from '../../images/bytes/sparse-copy.js';
import { MANIFEST_NAME, readManifest } from '../output/manifest.js';
import { lockImage } from './image-lock.js';

export interface WorkingCopyOptions {
  readonly pace: Pace;
  /** Whether to begin anew from the built image. */
  readonly fresh: boolean;
  readonly onProgress: (bytes: number, total: number) => void;
}

/** What became of a working copy. */
export interface WorkingCopy {
  /** `outdated`: it was kept, but the image that it was made from is another one now. */
  readonly outcome: 'made' | 'kept' | 'outdated';
}

/**
 * Makes a cluster's own copy of a built image at `target`, unless there is one: what nodes wrote stays. Shares the
 * image's blocks where the filesystem can, and keeps holes where not. Nothing is there, or what was there before, when it
 * throws a DiagnosticError.
 */
export async function prepareWorkingCopy(
  image: string,
  target: string,
  { pace, fresh, onProgress }: WorkingCopyOptions,
): Promise<WorkingCopy> {
  const origin = originOf(image);
  const record = `${target}.origin`;
  if (existsSync(target) && !fresh) return { outcome: isFrom(record, origin) ? 'kept' : 'outdated' };
  const temporary = `${target}.new`;
  // A copy of what a cluster writes at this moment would be of no use.
  const lock = lockImage(image, 'shared');
  try {
    await rm(temporary, { force: true });
    if (!(await cloned(image, temporary))) {
      const total = statSync(image).size;
      await copySparse(image, temporary, pace, (bytes) => onProgress(bytes, total));
    }
    // Of an old copy the record goes first: a copy without one is taken for outdated, never for a good one.
    await rm(record, { force: true });
    await rename(temporary, target);
    await writeFile(record, `${JSON.stringify(origin)}\n`);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw readableHostError(cause, target);
  } finally {
    lock.release();
  }
  return { outcome: 'made' };
}

/** A copy that shares its blocks with the image (btrfs, XFS); false where the filesystem has no such thing. */
async function cloned(image: string, target: string): Promise<boolean> {
  try {
    await copyFile(image, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch {
    await rm(target, { force: true });
    return false;
  }
}

/** By what it is known whether an image is still the same. */
interface Origin {
  readonly image: string;
  readonly size: string;
  readonly modified: string;
  readonly inode: string;
  /** What the build that made it says of it. */
  readonly sha256?: string;
}

function originOf(image: string): Origin {
  try {
    const { size, mtimeNs, ino } = statSync(image, { bigint: true });
    const sha256 = digestOf(image, mtimeNs);
    return {
      ...{ image: resolve(image), size: `${size}`, modified: `${mtimeNs}`, inode: `${ino}` },
      ...(sha256 === undefined ? {} : { sha256 }),
    };
  } catch (cause) {
    throw readableHostError(cause, image);
  }
}

/** What its manifest says of an image, which was written after it; nothing of one that was changed since. */
function digestOf(image: string, modified: bigint): string | undefined {
  const folder = dirname(image);
  const output = readManifest(folder)?.outputs.find(({ name }) => name === basename(image));
  if (output === undefined) return undefined;
  const written = statSync(join(folder, MANIFEST_NAME), { bigint: true }).mtimeNs;
  return written >= modified ? output.sha256 : undefined;
}

/** Whether a copy is of what the image is now: the same file, or one that another build has made the same. */
function isFrom(record: string, origin: Origin): boolean {
  try {
    const { size, modified, inode, sha256, image } = JSON.parse(
      readFileSync(record, 'utf8'),
    ) as Partial<Origin>;
    if (image !== origin.image || size !== origin.size) return false;
    return (
      (modified === origin.modified && inode === origin.inode) ||
      (sha256 !== undefined && sha256 === origin.sha256)
    );
  } catch {
    return false;
  }
}
