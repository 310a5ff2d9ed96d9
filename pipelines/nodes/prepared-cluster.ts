import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { Pace } from '../../images/bytes/pace.js';
import { imageError, usageError } from '../../images/diagnostic.js';
import { removeAll } from '../cache/scratch.js';
import type { ClusterListener } from './cluster-events.js';
import { type ClusterSettings, checkSettings } from './cluster-settings.js';
import { type ImageLock, lockImage } from './image-lock.js';
import { kernelForProcessor } from './kernel-for-processor.js';
import { findMemoryFolder, memoryPrefix } from './memory-folder.js';
import type { ClusterPlaces } from './places.js';
import { readSharedImage, type SharedImage } from './shared-image.js';
import { prepareWorkingCopy } from './working-copy.js';

/** All that nodes are started from, there and locked. */
export interface PreparedCluster {
  readonly settings: ClusterSettings;
  readonly image: SharedImage;
  /** The image that the nodes write, and the lock that keeps others from it. */
  readonly root: string;
  readonly lock: ImageLock;
  readonly kernel: string;
  /** Names of the files without anything that means something on a kernel's command line. */
  readonly links: {
    readonly root: string;
    readonly ramdisk: string;
    readonly lockTable: string;
    readonly lockServerRamdisk: string;
  };
  readonly memoryFolder: string;
  /** Lets go of everything, when no node is left. */
  release(): void;
}

export interface PrepareOptions {
  readonly fresh: boolean;
  readonly pace: Pace;
  readonly listener: ClusterListener;
  /** Nodes that are to be started now. */
  readonly nodes: number;
}

/**
 * Looks at all that a cluster is started from and makes its working copy. Throws a DiagnosticError when something is
 * missing, or not fit; nothing is left locked then.
 */
export async function prepareCluster(
  settings: ClusterSettings,
  places: ClusterPlaces,
  runtime: string,
  options: PrepareOptions,
): Promise<PreparedCluster> {
  checkSettings(settings);
  const builtImage = await readSharedImage(settings.root, options.pace);
  checkParts(builtImage, settings);
  const memoryParent = findMemoryFolder(options.nodes, settings.memoryMiB);
  const root = settings.inPlace ? settings.root : places.workingCopy;
  const lockTable = settings.inPlace ? settings.lockTable : `${places.folder}/root_cidev`;
  if (!settings.inPlace) await makeCopies(settings, places, lockTable, options);
  const lock = lockImage(root, 'exclusive');
  let memoryFolder: string | undefined;
  try {
    const image = await readSharedImage(root, options.pace);
    const kernel = kernelForProcessor(settings.kernel, join(places.folder, 'linux'));
    const links = makeLinks(runtime, {
      root,
      ramdisk: settings.ramdisk,
      lockTable: lockTable ?? '/dev/null',
      lockServerRamdisk: settings.lockServerRamdisk ?? '/dev/null',
    });
    memoryFolder = mkdtempSync(join(memoryParent, memoryPrefix(places.folder)));
    const made = memoryFolder;
    return {
      settings,
      image,
      root,
      lock,
      kernel,
      links,
      memoryFolder,
      release: () => {
        removeAll(made);
        lock.release();
      },
    };
  } catch (cause) {
    if (memoryFolder !== undefined) removeAll(memoryFolder);
    lock.release();
    throw readableHostError(cause, runtime);
  }
}

function checkParts(image: SharedImage, { root, lockTable, lockServerRamdisk }: ClusterSettings): void {
  if (image.journals < 1) throw imageError({ file: root }, 'it has no journal, so no node can mount it');
  if (image.kind === 'gfs2') return;
  const missing = [
    ...(lockTable === undefined ? ['CIDEV'] : []),
    ...(lockServerRamdisk === undefined ? ['INITRD_MEMEXP'] : []),
  ];
  if (missing.length > 0)
    throw usageError(
      `${root} is an OpenGFS root, and the start file does not set ${missing.join(' and ')}`,
      'Its nodes need the lock table and a ramdisk for the lock server.',
    );
}

async function makeCopies(
  settings: ClusterSettings,
  places: ClusterPlaces,
  lockTable: string | undefined,
  { fresh, pace, listener }: PrepareOptions,
): Promise<void> {
  // Before it is replaced: a cluster may write it that another user's command has started.
  const { outcome } = await prepareWorkingCopy(settings.root, places.workingCopy, {
    pace,
    fresh,
    onProgress: (done, total) => listener({ type: 'copy', done, total }),
  });
  if (outcome === 'outdated')
    listener({
      type: 'note',
      message: `${settings.root} is not what the working copy ${places.workingCopy} was made from`,
      hint: 'The working copy is used as it is, with what the nodes wrote. To begin anew: ssi-stop, then ssi-start --fresh.',
    });
  if (settings.lockTable !== undefined && lockTable !== undefined)
    await prepareWorkingCopy(settings.lockTable, lockTable, {
      pace,
      fresh: fresh || outcome === 'made',
      onProgress: () => {},
    });
}

function makeLinks(runtime: string, files: PreparedCluster['links']): PreparedCluster['links'] {
  const link = (name: string, target: string): string => {
    const path = join(runtime, name);
    rmSync(path, { force: true });
    symlinkSync(target, path);
    return path;
  };
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  return {
    root: link('root_fs', files.root),
    ramdisk: link('initrd.img', files.ramdisk),
    lockTable: link('root_cidev', files.lockTable),
    lockServerRamdisk: link('initrd-memexp.img', files.lockServerRamdisk),
  };
}
