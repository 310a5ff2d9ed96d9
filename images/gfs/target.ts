import type { Pace } from '../bytes/pace.js';
import type { Tree } from '../tree/tree.js';
import type { Allocator } from './allocator.js';
import type { CommitBlock } from './commit.js';
import type { InodeNumber } from './inode-number.js';
import type { Excluded } from './suitability.js';
import type { InodeFormat, TreeWriter } from './tree-writer.js';
import type { GfsVolume } from './volume.js';

/** An empty filesystem that is about to be filled: what of that differs between the dialects. */
export interface PopulateTarget {
  readonly image: GfsVolume;
  readonly allocator: Allocator;
  readonly format: InodeFormat;
  readonly root: InodeNumber;
  /** What to do when the filesystem is damaged beyond that. */
  readonly remakeHint: string;
  /** Throws a DiagnosticError unless the filesystem is empty. */
  checkEmpty(pace: Pace): Promise<void>;
  /**
   * What of a Tree will be left out. Throws a DiagnosticError for what can't be left out: a symbolic link or a file
   * that is too long.
   */
  excluded(tree: Tree): Excluded[];
  /** Blocks that a Tree takes besides those of names and contents: attributes, the quota file. */
  extraBlocks(tree: Tree): number;
  /** The blocks that make the new content part of the filesystem; the root's dinode last. */
  finish(writer: TreeWriter): CommitBlock[];
}
