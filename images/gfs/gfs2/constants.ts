import type { FileTypeName } from '../constants.js';

/** Numbers that GFS2 has and OpenGFS has not (docs/gfs2-format.md §2). Sizes are bytes. */

/** Filesystem formats: the second knows extended attributes of the type `trusted`. */
export const FilesystemFormat = { first: 1801, trustedAttributes: 1802 } as const;
export const MULTIHOST_FORMAT = 1900;

/** Dinode flags (§2), those of the filesystem's own files among them. */
export const Gfs2DinodeFlag = {
  journaledData: 0x1,
  hashedDirectory: 0x2,
  indirectAttributes: 0x8,
  system: 0x200,
  truncating: 0x20000000,
} as const;
/** Every flag there is, and those that only the period's GFS knew. */
export const DINODE_FLAGS_KNOWN = 0xe00007ff;

/** Codes of file types in dirents and, shifted by 12, in modes: those of readdir(3). */
export const direntTypes: Readonly<Record<FileTypeName, number>> = {
  fifo: 1,
  character: 2,
  directory: 4,
  block: 6,
  file: 8,
  symlink: 10,
  socket: 12,
};
/** In a dirent: the dinode tells the type (§5). */
export const OPEN_DIRENT_TYPE = 0;
export const TYPE_SHIFT = 12;

const namesByType = new Map<number, FileTypeName>(
  Object.entries(direntTypes).map(([name, code]) => [code, name as FileTypeName]),
);

/** The kind of file that the type bits of a mode stand for, or undefined when there is no such kind. */
export function typeOfMode(mode: number): FileTypeName | undefined {
  return namesByType.get(mode >>> TYPE_SHIFT);
}

/** Type and format of the metadata header in every block of a node's quota changes (§6). */
export const QUOTA_CHANGE = { type: 14, format: 1400 } as const;

/** Bytes of a record of the statfs files, of the inum file, and of a node's range of inode numbers (§6). */
export const STATFS_BYTES = 24;
export const INUM_BYTES = 8;
export const INUM_RANGE_BYTES = 16;
