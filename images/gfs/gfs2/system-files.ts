import type { ByteString } from '../../bytes/byte-string.js';
import { readDirectory } from '../directory-reader.js';
import type { Gfs2Image } from './image.js';

/** Where the dinodes of the filesystem's own files lie (docs/gfs2-format.md §6): block numbers. */
export interface SystemFiles {
  readonly master: number;
  readonly journalIndex: number;
  readonly perNode: number;
  /** The number that the next inode gets when nodes have no ranges of their own left. */
  readonly inodeNumbers: number;
  readonly statfs: number;
  readonly resourceIndex: number;
  readonly quota: number;
  /** One for each node that can mount the filesystem at the same time. */
  readonly journals: readonly number[];
  readonly nodes: readonly NodeFiles[];
}

/** The files that one mounted node keeps for itself. */
export interface NodeFiles {
  readonly inodeRange: number;
  readonly statfsChange: number;
  readonly quotaChange: number;
}

/** Root, master, jindex, per_node, inum, statfs, rindex and quota. */
const DINODES_OF_ALL = 8;
/** A journal, and the three files of its node. */
const DINODES_OF_A_NODE = 4;

/** How many dinodes a filesystem has when nobody has put anything in it. */
export function ownDinodes({ nodes }: SystemFiles): number {
  return DINODES_OF_ALL + DINODES_OF_A_NODE * nodes.length;
}

/** Finds the filesystem's own files by their names. Throws a DiagnosticError when one is missing. */
export function readSystemFiles(image: Gfs2Image): SystemFiles {
  const master = image.superblock.master.address;
  const own = namesIn(image, master);
  const find = (names: ReadonlyMap<ByteString, number>, holder: number, name: string): number => {
    const address = names.get(name);
    if (address === undefined) throw image.error(holder, `the filesystem's own file "${name}" is missing`);
    return address;
  };
  const inMaster = (name: string): number => find(own, master, name);
  const journalIndex = inMaster('jindex');
  const perNode = inMaster('per_node');
  const journals = numberedJournals(image, journalIndex);
  const ofNodes = namesIn(image, perNode);
  return {
    master,
    journalIndex,
    perNode,
    inodeNumbers: inMaster('inum'),
    statfs: inMaster('statfs'),
    resourceIndex: inMaster('rindex'),
    quota: inMaster('quota'),
    journals,
    nodes: journals.map((_, node) => ({
      inodeRange: find(ofNodes, perNode, `inum_range${node}`),
      statfsChange: find(ofNodes, perNode, `statfs_change${node}`),
      quotaChange: find(ofNodes, perNode, `quota_change${node}`),
    })),
  };
}

function namesIn(image: Gfs2Image, address: number): Map<ByteString, number> {
  const directory = image.readDinode(address, "the filesystem's own directories");
  if (image.typeOf(directory.dinode) !== 'directory') throw image.error(address, 'not a directory');
  return new Map(readDirectory(image, directory).map(({ name, inode }) => [name, inode.address]));
}

/** The journals `journal0`, `journal1`, …, as far as their numbers go on. */
function numberedJournals(image: Gfs2Image, journalIndex: number): number[] {
  const names = namesIn(image, journalIndex);
  const journals: number[] = [];
  for (let number = 0; ; number++) {
    const address = names.get(`journal${number}`);
    if (address === undefined) return journals;
    journals.push(address);
  }
}
