import { textFromByteString } from '../bytes/byte-string.js';
import { readUint64BE } from '../bytes/integers.js';
import { imageError } from '../diagnostic.js';
import { faultOfName } from '../tree/name.js';
import { DEPTH_MAX, DINODE_BYTES, LEAF_HEADER_BYTES } from './constants.js';
import { type Dirent, readDirents } from './dirent.js';
import { faultOfHeader } from './metadata-header.js';
import { type DinodeBlock, type GfsVolume, isHashed } from './volume.js';

/** Head of a directory leaf (§3.10). */
export interface LeafHeader {
  /** Top bits of the hash that all names here share. */
  readonly depth: number;
  /** Live dirents. */
  readonly entries: number;
  readonly direntFormat: number;
  /** Block of the leaf that follows in the chain; 0 for none. */
  readonly next: number;
}

export function decodeLeafHeader(block: Buffer): LeafHeader {
  return {
    depth: block.readUInt16BE(24),
    entries: block.readUInt16BE(26),
    direntFormat: block.readUInt32BE(28),
    next: readUint64BE(block, 32),
  };
}

/**
 * The names in a directory, without `.` and `..`. Throws a DiagnosticError on a broken chain of dirents, a leaf
 * outside the device, a hash table that contradicts its dinode, and on names that no file can have.
 */
export function readDirectory(image: GfsVolume, directory: DinodeBlock): Dirent[] {
  const { dinode, address, block } = directory;
  const found: Dirent[] = [];
  const seen = new Set<string>();
  const take = (holder: number, bytes: Buffer, start: number): void => {
    const records = readDirents(bytes, start, (offset, message) => {
      throw imageError({ file: image.name, block: holder }, `${message}, at byte ${offset} of the block`);
    });
    for (const { dirent } of records) {
      if (dirent === undefined || dirent.name === '.' || dirent.name === '..') continue;
      const fault = faultOfName(dirent.name);
      if (fault !== undefined) throw image.error(holder, `${fault} in a directory`);
      if (seen.has(dirent.name)) {
        throw image.error(
          holder,
          `the name "${textFromByteString(dirent.name)}" stands twice in the directory at block ${address}`,
        );
      }
      seen.add(dirent.name);
      found.push(dirent);
    }
  };
  if (!isHashed(directory)) {
    if (dinode.height !== 0) throw image.error(address, `a linear directory of height ${dinode.height}`);
    take(address, block, DINODE_BYTES);
    return found;
  }
  for (const leaf of leafAddresses(image, directory)) take(leaf.address, leaf.block, LEAF_HEADER_BYTES);
  return found;
}

/** The hash table: addresses of leaves by the top bits of the hash. Throws a DiagnosticError when it can't be right. */
export function readHashTable(image: GfsVolume, directory: DinodeBlock): number[] {
  const { dinode, address } = directory;
  if (dinode.depth > DEPTH_MAX)
    throw image.error(address, `a hash table of depth ${dinode.depth} (at most ${DEPTH_MAX})`);
  if (dinode.size !== 8 * 2 ** dinode.depth) {
    throw image.error(address, `a hash table of ${dinode.size} bytes, though its depth is ${dinode.depth}`);
  }
  const bytes = image.readFile(directory, 'a hash table', 8 * 2 ** DEPTH_MAX);
  return Array.from({ length: 2 ** dinode.depth }, (_, index) => readUint64BE(bytes, index * 8));
}

/** Every leaf of a hashed directory once: those of the table, each with its chain. */
function* leafAddresses(
  image: GfsVolume,
  directory: DinodeBlock,
): Generator<{ address: number; block: Buffer }> {
  const seen = new Set<number>();
  let previous = -1;
  for (const first of readHashTable(image, directory)) {
    if (first === previous) continue;
    previous = first;
    for (let address = first; address !== 0; ) {
      image.checkAddress(address, `the hash table of the directory at block ${directory.address}`);
      if (seen.has(address)) throw image.error(address, 'a directory leaf that is reached twice');
      seen.add(address);
      const block = image.readBlock(address);
      const fault = faultOfHeader(block, 'leaf');
      if (fault !== undefined) throw image.error(address, fault);
      yield { address, block };
      address = decodeLeafHeader(block).next;
    }
  }
}
