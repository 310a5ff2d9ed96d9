import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ByteSource, FileSource, readBytes } from '../images/bytes/byte-source.js';
import { readableHostError } from '../images/bytes/host-error.js';
import type { Pace } from '../images/bytes/pace.js';
import { isCpio, treeOfCpio } from '../images/cpio/reader.js';
import { imageError, usageError } from '../images/diagnostic.js';
import { isExt2, openExt2 } from '../images/ext2/reader.js';
import { Gfs2Filesystem } from '../images/gfs/gfs2/reader.js';
import { OpenGfsFilesystem } from '../images/gfs/reader.js';
import { isGfs2, isOpenGfs } from '../images/gfs/superblock.js';
import { hasPoolLabel, openPool } from '../images/pool/pool.js';
import { isTar, treeOfTar } from '../images/tar/reader.js';
import type { Filesystem } from '../images/tree/filesystem.js';
import { treeOfDirectory } from '../images/tree/from-directory.js';
import { treeOfFilesystem } from '../images/tree/from-filesystem.js';
import type { Tree } from '../images/tree/tree.js';
import { decodeTree, isTreeFile } from '../images/tree/tree-file.js';
import { TreeFilesystem } from '../images/tree/tree-filesystem.js';
import { openPossiblyCompressed } from './decompress.js';

/** What lies on a device or in a file, told by its first bytes. */
export type ContentKind = 'opengfs' | 'gfs2' | 'ext' | 'tar' | 'cpio' | 'tree' | 'unknown';

/** Tells what a source holds. A pool label is not content: look behind it first. */
export function detectKind(source: ByteSource): ContentKind {
  if (isOpenGfs(source)) return 'opengfs';
  if (isGfs2(source)) return 'gfs2';
  if (isExt2(source)) return 'ext';
  if (isCpio(source)) return 'cpio';
  if (isTar(source)) return 'tar';
  if (isTreeFile(source)) return 'tree';
  return 'unknown';
}

export interface OpenOptions {
  readonly pace: Pace;
  readonly signal?: AbortSignal;
  /** Further devices of the same pool. */
  readonly poolDevices?: readonly string[];
}

/** The bytes of an image, behind compression and pool labels. */
export interface OpenDevice {
  readonly source: ByteSource;
  /** Whether a pool label stood before it. */
  readonly pooled: boolean;
  close(): void;
}

/** Opens an image's device: decompressed where it is compressed, the pool's address space where it has a label. */
export async function openDevice(path: string, options: OpenOptions): Promise<OpenDevice> {
  const opened: { close(): void }[] = [];
  const close = (): void => {
    for (const each of opened) each.close();
  };
  try {
    const sources: ByteSource[] = [];
    for (const name of [path, ...(options.poolDevices ?? [])]) {
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      const image = await openPossiblyCompressed(name, signal);
      opened.push(image);
      sources.push(image.source);
    }
    const [first] = sources;
    if (first === undefined) throw usageError('no image given');
    if (hasPoolLabel(first)) return { source: openPool(sources), pooled: true, close };
    if (sources.length > 1) throw usageError(`${path} has no pool label, so no further devices belong to it`);
    return { source: first, pooled: false, close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Opens whatever a user names as a filesystem to look into: an image of any kind, an archive, or a directory.
 * Throws a DiagnosticError when it is none of them.
 */
export async function openFilesystem(path: string, options: OpenOptions): Promise<Filesystem> {
  if (isDirectory(path))
    return new TreeFilesystem(await treeOfDirectory(path, options.pace), path, 'directory');
  const { source, close } = await openDevice(path, options);
  try {
    const filesystem = await filesystemIn(source, path, options.pace);
    const closeContents =
      filesystem instanceof TreeFilesystem ? filesystem.close.bind(filesystem) : undefined;
    filesystem.close = () => {
      closeContents?.();
      close();
    };
    return filesystem;
  } catch (error) {
    close();
    throw error;
  }
}

/** The filesystem or archive in a device. */
async function filesystemIn(source: ByteSource, name: string, pace: Pace): Promise<Filesystem> {
  switch (detectKind(source)) {
    case 'opengfs':
      return new OpenGfsFilesystem(source);
    case 'ext':
      return openExt2(source);
    case 'tar':
      return new TreeFilesystem(await treeOfTar(source, pace), name, 'tar');
    case 'cpio':
      return new TreeFilesystem(await treeOfCpio(source, pace), name, 'cpio');
    case 'tree':
      return treeOfStage(source, name);
    case 'gfs2':
      return new Gfs2Filesystem(source);
    case 'unknown':
      throw imageError(
        { file: name },
        'no filesystem or archive that is known here',
        'Known are OpenGFS and GFS2 (with or without a pool label), ext2/3/4, tar and cpio; also compressed with gzip, bzip2, xz or zstd.',
      );
  }
}

/** What a stage made, as the cache keeps it: the contents lie beside it, by their digests. */
function treeOfStage(source: ByteSource, name: string): TreeFilesystem {
  const contents: ContentBeside[] = [];
  const tree = decodeTree(readBytes(source, 0, source.size), name, (sha256) => {
    const content = new ContentBeside(join(dirname(name), sha256));
    contents.push(content);
    return content;
  });
  return new TreeFilesystem(tree, name, 'tree of a stage', () => {
    for (const content of contents) content.close();
  });
}

/** Opened when it is read: names and attributes can be looked at where contents lie elsewhere. */
class ContentBeside implements ByteSource {
  readonly size = Number.MAX_SAFE_INTEGER;
  private file: FileSource | undefined;

  constructor(readonly name: string) {}

  readInto(target: Uint8Array, offset: number): void {
    if (this.file === undefined && !existsSync(this.name)) {
      throw imageError(
        { file: this.name },
        'the contents of this tree lie in a file that is not in the cache',
        'They are in a file of yours that the recipe names; its SHA-256 is the name above.',
      );
    }
    this.file ??= new FileSource(this.name);
    this.file.readInto(target, offset);
  }

  close(): void {
    this.file?.close();
  }
}

/** Everything in an open image or archive, behind a pool label if there is one, as a Tree. The source stays open. */
export async function treeOfSource(source: ByteSource, pace: Pace): Promise<{ tree: Tree; format: string }> {
  const device = hasPoolLabel(source) ? openPool([source]) : source;
  const filesystem = await filesystemIn(device, source.name, pace);
  const tree =
    filesystem instanceof TreeFilesystem ? filesystem.tree : await treeOfFilesystem(filesystem, pace);
  return { tree, format: filesystem.format };
}

/** Everything in an image, archive or directory as a Tree. `close` releases what its contents refer to. */
export async function openTree(
  path: string,
  options: OpenOptions,
): Promise<{ tree: Tree; format: string; close(): void }> {
  const filesystem = await openFilesystem(path, options);
  try {
    const tree =
      filesystem instanceof TreeFilesystem
        ? filesystem.tree
        : await treeOfFilesystem(filesystem, options.pace);
    return { tree, format: filesystem.format, close: () => filesystem.close() };
  } catch (error) {
    filesystem.close();
    throw error;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** Whether two paths lead to the same file or directory. Throws a DiagnosticError when one leads nowhere. */
export function sameFile(a: string, b: string): boolean {
  const identity = (path: string): string => {
    try {
      const { dev, ino } = statSync(path, { bigint: true });
      return `${dev}:${ino}`;
    } catch (cause) {
      throw readableHostError(cause, path);
    }
  };
  return identity(a) === identity(b);
}
