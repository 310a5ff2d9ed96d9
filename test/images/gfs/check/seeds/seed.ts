import type { Rule } from '../../../../../images/gfs/check/rules.js';
import type { Damage } from '../damage.js';

/** One fault put into a good image: the rule that must report it, and the block it must name. */
export interface SeededFault {
  readonly name: string;
  readonly rule: Rule;
  /** Damages the image; returns the block that the report must have, undefined for a report without one. */
  readonly seed: (damage: Damage) => number | undefined;
}

/** Byte offsets of fields in a dinode that several seeds change. */
export const DINODE = {
  number: 24,
  mode: 40,
  links: 52,
  size: 56,
  blocks: 64,
  mtime: 80,
  group: 104,
} as const;
export const FLAGS = 128;
export const TYPE = 136;
export const HEIGHT = 138;
export const FIRST_DATA = 232;
/** A block outside every image here. */
export const FAR = 0x7fffffff;

/** A fault in a field of the superblock. */
export function ofSuperblock(name: string, rule: Rule, seed: (damage: Damage) => void): SeededFault {
  return {
    name: `superblock: ${name}`,
    rule,
    seed: (damage) => {
      seed(damage);
      return damage.superblock;
    },
  };
}

/** A fault in the dinode at a path. */
export function ofInode(
  path: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, inode: number) => void,
): SeededFault {
  return {
    name: `dinode of ${path}: ${name}`,
    rule,
    seed: (damage) => {
      const inode = damage.inode(path);
      seed(damage, inode);
      return inode;
    },
  };
}

/** A fault in one of the filesystem's own inodes. */
export function ofSpecial(
  inode: 'journalIndex' | 'resourceIndex' | 'quota' | 'license' | 'root',
  name: string,
  rule: Rule,
  seed: (damage: Damage, inode: number) => void,
): SeededFault {
  return {
    name: `${inode}: ${name}`,
    rule,
    seed: (damage) => {
      seed(damage, damage.special[inode]);
      return damage.special[inode];
    },
  };
}

/** A fault in the header block of the first resource group. */
export function ofGroup(
  name: string,
  rule: Rule,
  seed: (damage: Damage, address: number) => void,
): SeededFault {
  return {
    name: `resource group: ${name}`,
    rule,
    seed: (damage) => {
      const { address } = damage.group(0);
      seed(damage, address);
      return address;
    },
  };
}

/** A fault in the dirent of a name; the report names the block it stands in. */
export function ofDirent(
  directory: string,
  file: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, block: number, offset: number) => void,
): SeededFault {
  return {
    name: `dirent of ${directory}/${file}: ${name}`,
    rule,
    seed: (damage) => {
      const { block, offset } = damage.dirent(directory, file);
      seed(damage, block, offset);
      return block;
    },
  };
}

/** A fault in a leaf with names, of a directory. */
export function ofLeaf(
  directory: string,
  name: string,
  rule: Rule,
  seed: (damage: Damage, leaf: number) => void,
): SeededFault {
  return {
    name: `leaf of ${directory}: ${name}`,
    rule,
    seed: (damage) => {
      const leaf = damage.leaf(directory, (block) => damage.get(block, 26, 2) > 1);
      seed(damage, leaf);
      return leaf;
    },
  };
}

/** A fault in the log header of a segment of the first journal. */
export function ofLog(
  segment: number,
  name: string,
  rule: Rule,
  seed: (damage: Damage, block: number) => void,
): SeededFault {
  return {
    name: `journal: ${name}`,
    rule,
    seed: (damage) => {
      const block = damage.segment(0, segment);
      seed(damage, block);
      return block;
    },
  };
}
