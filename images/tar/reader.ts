import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { isZero } from '../bytes/zeros.js';
import { imageError } from '../diagnostic.js';
import type { Tree } from '../tree/tree.js';
import { ArchiveTree } from './archive-tree.js';
import { hasValidChecksum, RECORD_BYTES } from './header.js';
import { membersOf } from './members.js';

/** Whether the source is a tar archive: a header with a right checksum, or the two empty records of an empty one. */
export function isTar(source: ByteSource): boolean {
  if (source.size < RECORD_BYTES) return false;
  const record = readBytes(source, 0, RECORD_BYTES);
  if (isZero(record)) {
    return (
      source.size >= 2 * RECORD_BYTES &&
      source.size <= 1024 * 1024 &&
      isZero(readBytes(source, 0, source.size))
    );
  }
  return hasValidChecksum(record);
}

/**
 * Reads a tar archive's names and attributes into a Tree; contents stay in the archive. Later members replace
 * earlier ones of the same name. Throws a DiagnosticError with the offset on damage, on names with `..`, on a path
 * through a symbolic link and on links to nothing. Not kept: access and change times, names of owners, SELinux labels.
 */
export async function treeOfTar(source: ByteSource, pace: Pace): Promise<Tree> {
  if (source.size === 0) throw imageError({ file: source.name }, 'an empty file is no tar archive');
  const tree = new ArchiveTree(source);
  for (const member of membersOf(source)) {
    tree.add(member);
    if (pace.due()) await pace.breathe();
  }
  return tree.build();
}
