import { existsSync } from 'node:fs';
import { writeAtomically } from '../../images/bytes/atomic-file.js';
import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { hostError, usageError } from '../../images/diagnostic.js';
import { GfsImage } from '../../images/gfs/image.js';
import { MKFS_DEFAULTS, type MkfsOptions, type MkfsResult, makeFilesystem } from '../../images/gfs/mkfs.js';
import { isOpenGfs } from '../../images/gfs/superblock.js';
import { detectKind } from '../../pipelines/open-image.js';
import { openWritable, type WritableImage } from '../../pipelines/writable-image.js';
import { formatFacts, writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { parseInteger, parseSize, sourceDateEpoch } from '../command-line/values.js';
import { fill } from './copy-in.js';

/** The options as the command line has them; letters as in the historical tool. */
export interface MkfsGfsOptions {
  readonly protocol: string;
  readonly table: string;
  readonly journals: string;
  readonly journalSize?: string;
  readonly blockSize?: string;
  readonly resourceGroupSize?: string;
  readonly segment?: string;
  readonly internal?: boolean;
  readonly quiet?: boolean;
  readonly expert?: boolean;
  readonly override?: boolean;
  readonly fsFormat?: string;
  readonly multihostFormat?: string;
  readonly size?: string;
  readonly source?: string;
  readonly poolDevice?: string[];
}

/** `ssi-image mkfs_gfs`: makes an OpenGFS filesystem on an image, or on a new one of `--size`. */
export async function mkfsGfs(image: string, options: MkfsGfsOptions): Promise<number> {
  const mkfs = mkfsOptions(options);
  if (options.size === undefined) {
    if (!existsSync(image)) {
      throw hostError('no such file', 'Make it first (truncate -s 2GiB root_fs), or give --size.', {
        file: image,
      });
    }
    const target = openWritable(image, options.poolDevice);
    await make(target, image, mkfs, options);
    return ExitCode.done;
  }
  const size = parseSize(options.size, '--size');
  if (existsSync(image) && options.override !== true) {
    throw hostError('it exists already', 'Leave --size away to use it as it is, or replace it with -O.', {
      file: image,
    });
  }
  await writeAtomically(image, async (temporary) => {
    SparseFile.create(temporary, size, { name: image }).close();
    await make(openWritable(temporary, [], image), image, mkfs, options);
  });
  return ExitCode.done;
}

async function make(
  target: WritableImage,
  image: string,
  mkfs: MkfsOptions,
  options: MkfsGfsOptions,
): Promise<void> {
  try {
    checkOverwrite(target, image, options.override ?? false);
    checkJournalPlaces(target, options.internal ?? false);
    const result = makeFilesystem(target.sink, mkfs);
    target.sink.flush();
    if (options.quiet !== true) await writeOut(report(image, mkfs, result));
    if (options.source !== undefined) await fill(target, options.source, image);
    target.close();
  } finally {
    target.abandon();
  }
}

function mkfsOptions(options: MkfsGfsOptions): MkfsOptions {
  const number = (text: string | undefined, fallback: number, name: string): number =>
    text === undefined ? fallback : parseInteger(text, name);
  return {
    lockProtocol: byteStringFromText(options.protocol),
    lockTable: byteStringFromText(options.table),
    journals: parseInteger(options.journals, '-j'),
    journalMiB: number(options.journalSize, MKFS_DEFAULTS.journalMiB, '-J'),
    blockSize: number(options.blockSize, MKFS_DEFAULTS.blockSize, '-b'),
    resourceGroupMiB: number(options.resourceGroupSize, MKFS_DEFAULTS.resourceGroupMiB, '-r'),
    segmentBlocks: number(options.segment, MKFS_DEFAULTS.segmentBlocks, '-s'),
    expert: options.expert ?? false,
    filesystemFormat: number(options.fsFormat, MKFS_DEFAULTS.filesystemFormat, '--fs-format'),
    multihostFormat: number(options.multihostFormat, MKFS_DEFAULTS.multihostFormat, '--multihost-format'),
    time: sourceDateEpoch(),
  };
}

/** What a device holds is the user's: only an empty filesystem of the kind we make is replaced without a word. */
function checkOverwrite(target: WritableImage, image: string, override: boolean): void {
  if (override) return;
  const kind = detectKind(target.source);
  if (kind === 'unknown' || (kind === 'opengfs' && isEmpty(target))) return;
  throw hostError(
    `it holds ${kind === 'opengfs' ? 'an OpenGFS filesystem with files in it' : `${kind} data`}`,
    'Give -O to overwrite it.',
    { file: image },
  );
}

function isEmpty(target: WritableImage): boolean {
  if (!isOpenGfs(target.source)) return false;
  const image = new GfsImage(target.source);
  return image.readDinode(image.superblock.root.address, 'the superblock').dinode.entries === 2;
}

/**
 * Without -i the period's tool put one journal in each gfs_journal subpool. How it laid out such a filesystem is
 * not known, so that is refused instead of guessed.
 */
function checkJournalPlaces(target: WritableImage, internal: boolean): void {
  if (internal || !target.pooled || !('subpools' in target.source)) return;
  const subpools = (target.source as { subpools: readonly { type: string }[] }).subpools;
  if (subpools.some(({ type }) => type === 'gfs_journal')) {
    throw usageError(
      'the pool has gfs_journal subpools, but journals in subpools are not supported',
      'Give -i for internal journals.',
    );
  }
}

function report(image: string, options: MkfsOptions, result: MkfsResult): string {
  return formatFacts([
    ['Device', image],
    ['Blocksize', options.blockSize],
    ['Filesystem Size', result.allocatableBlocks],
    ['Journals', result.journals.length],
    ['Resource Groups', result.resourceGroups.length],
    ['Locking Protocol', options.lockProtocol],
    ['Lock Table', options.lockTable],
  ]);
}
