import { type BigIntStats, lstatSync } from 'node:fs';
import type { ByteString } from '../../images/bytes/byte-string.js';
import type { FileNode } from '../../images/tree/node.js';
import type { View } from './ownership.js';
import type { LaidOut } from './staging-root.js';

/**
 * Where the bulk of a root lies, which make rules leave alone. To make ten thousand files takes a filesystem seconds,
 * above all soon after as many were removed; to give a file one more name takes it next to nothing.
 */
const DATA_FOLDERS = [
  '/lib',
  '/lib64',
  '/usr/include',
  '/usr/lib',
  '/usr/lib64',
  '/usr/libexec',
  '/usr/share',
  '/usr/src',
  '/var/cache',
  '/var/lib',
];

/** Names that one placeholder gets: every filesystem with hard links allows so many. */
const NAMES_MAX = 1000;

/** A file of the staging root, by its first name. */
export interface HostFile {
  readonly host: Buffer;
  /** For how many files of the base it stands. */
  stands: number;
  /** As the first of them; known when everything is laid out. */
  laidOut?: LaidOut;
}

/**
 * Placeholders that files of the base have in common: those below the folders of data that have the same attributes.
 * They look as they would each by itself but for the length, the number of links and that they are the same.
 */
export class SharedPlaceholders {
  private readonly byLook = new Map<string, HostFile>();

  /** The placeholder that can get one more name for a file of the base, if there is one. */
  join(node: FileNode, path: ByteString): HostFile | undefined {
    const placeholder = isData(path) ? this.byLook.get(lookOf(node)) : undefined;
    if (placeholder === undefined || placeholder.stands === NAMES_MAX) return undefined;
    placeholder.stands += 1;
    return placeholder;
  }

  /** Lets others join a placeholder that was just made. */
  offer(placeholder: HostFile, node: FileNode, path: ByteString): void {
    if (isData(path)) this.byLook.set(lookOf(node), placeholder);
  }
}

function isData(path: ByteString): boolean {
  return DATA_FOLDERS.some((folder) => path.startsWith(folder) && path[folder.length] === '/');
}

function lookOf({ mode, uid, gid, mtime, size }: FileNode): string {
  return `${mode} ${uid} ${gid} ${mtime.seconds} ${mtime.nanoseconds} ${size === 0}`;
}

/** A rule did something to a shared placeholder: to which of the files that it stands for can't be told any more. */
export class SharingEnded extends Error {}

/**
 * Throws SharingEnded when a rule did anything to one of the shared placeholders; with `view` also when it only gave it
 * other attributes, which may be in what fakeroot remembers alone. What has not changed is where it was, by all its names.
 */
export function checkShared(shared: ReadonlyMap<LaidOut, Buffer>, view?: View): void {
  for (const [laidOut, host] of shared) {
    const status = statusOf(host);
    // To remove, move or link a name of it shows here, as writing to it does.
    if (status?.ctimeNs !== laidOut.ctimeNs) throw new SharingEnded();
    const { type, mode, uid, gid } = view?.(status, laidOut) ?? laidOut.node;
    const { node } = laidOut;
    const isSame = type === node.type && mode === node.mode && uid === node.uid && gid === node.gid;
    if (!isSame) throw new SharingEnded();
  }
}

/** Undefined when it is gone, or in a folder that is closed now. */
function statusOf(host: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(host, { bigint: true });
  } catch {
    return undefined;
  }
}
