import { lstatSync, statSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';

/** A file, so that it is known again under another name and not mixed up with another of its name. */
export interface FileIdentity {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Device of its filesystem as `MAJOR:MINOR`. */
  readonly device: string;
  readonly inode: string;
}

/** What a host build makes outside of its own folder. */
export type Made =
  /** An empty folder, for a mount. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A loop device over a file; `device` where the recipe says which. */
  | { readonly kind: 'loop'; readonly image: FileIdentity; readonly device?: string }
  /** A mount of a file through a loop device, or of a device with this number (`MAJOR:MINOR`). */
  | {
      readonly kind: 'mount';
      readonly target: string;
      readonly of: { readonly image: FileIdentity } | { readonly number: string };
    }
  /** Pool devices, as `passemble` makes them of loop devices over these files. */
  | { readonly kind: 'pools'; readonly names: readonly string[]; readonly images: readonly FileIdentity[] };

/** Which file a path leads to. Throws a DiagnosticError when there is none. */
export function identityOf(path: string): FileIdentity {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { path, device: numberText(dev), inode: `${ino}` };
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** The number of a device node as `MAJOR:MINOR`. Throws a DiagnosticError when it is none. */
export function deviceNumberOf(path: string): string {
  try {
    return numberText(statSync(path, { bigint: true }).rdev);
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** Linux's `dev_t` as glibc has it: 12 + 20 bits of major, 8 + 24 of minor, in turn. */
function numberText(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

/** Whether anything has this name, be it a link that leads nowhere. */
export function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** What was made, for people. */
export function describeMade(made: Made): string {
  switch (made.kind) {
    case 'folder':
      return `the folder ${made.path}`;
    case 'loop':
      return `a loop device over ${made.image.path}`;
    case 'mount':
      return `the mount at ${made.target}`;
    case 'pools':
      return `the pools ${made.names.join(', ')}`;
  }
}
