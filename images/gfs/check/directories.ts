import { textFromByteString } from '../../bytes/byte-string.js';
import { faultOfName } from '../../tree/name.js';
import { joinPath } from '../../tree/tree.js';
import { DINODE_BYTES, LEAF_HEADER_BYTES, PayloadFormat } from '../constants.js';
import { decodeLeafHeader, readHashTable } from '../directory-reader.js';
import { type Dirent, hashOfName, readDirents } from '../dirent.js';
import { faultOfHeader } from '../metadata-header.js';
import { type DinodeBlock, isHashed } from '../volume.js';
import { Claim } from './claims.js';
import type { CheckContext } from './context.js';
import type { CheckedInode } from './dinodes.js';

/** A name found in a directory, with the block it stands in. */
export interface FoundName {
  readonly dirent: Dirent;
  readonly block: number;
}

/** A run of equal pointers in a hash table. */
interface PointerRun {
  readonly leaf: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Checks a directory's own structure: chains, hashes, leaves, `.` and `..`, counts. Returns the names in it that
 * stand for other files.
 */
export function checkDirectory(
  context: CheckContext,
  { inode, treeBlocks }: CheckedInode,
  parent: number,
  path: string,
): FoundName[] {
  const checker = new DirectoryChecker(context, inode, treeBlocks, path);
  checker.read();
  checker.checkDots(parent);
  return checker.names;
}

class DirectoryChecker {
  /** Without `.` and `..`. */
  readonly names: FoundName[] = [];
  private readonly seen = new Set<string>();
  private readonly dots = new Map<string, Dirent>();
  private live = 0;

  constructor(
    private readonly context: CheckContext,
    private readonly directory: DinodeBlock,
    /** Blocks of the dinode and of the hash table itself, which were claimed with it. */
    private readonly treeBlocks: number,
    private readonly path: string,
  ) {}

  read(): void {
    const { dinode, address, block } = this.directory;
    const { faults, image } = this.context;
    if (isHashed(this.directory)) this.readHashed();
    else {
      if (dinode.height !== 0 || dinode.size !== image.geometry.stuffedBytes || dinode.depth !== 0) {
        faults.add(
          'dinode-size',
          address,
          `a linear directory of ${dinode.size} bytes, height ${dinode.height} and depth ${dinode.depth}`,
          this.path,
        );
      }
      if (dinode.height === 0) this.readArea(address, block, DINODE_BYTES);
    }
    if (dinode.entries !== this.live) {
      faults.add(
        'directory-entries',
        address,
        `the directory counts ${dinode.entries} entries, it has ${this.live}`,
        this.path,
      );
    }
  }

  checkDots(parent: number): void {
    const { address } = this.directory;
    const { faults } = this.context;
    for (const [name, expected] of [
      ['.', address],
      ['..', parent],
    ] as const) {
      const dirent = this.dots.get(name);
      const formal = this.context.formalOf(expected);
      if (dirent === undefined) faults.add('directory-dots', address, `there is no "${name}"`, this.path);
      else if (dirent.inode.address !== expected || dirent.inode.formal !== formal) {
        faults.add(
          'directory-dots',
          address,
          `"${name}" is ${dirent.inode.formal}/${dirent.inode.address} instead of ${formal === expected ? expected : `${formal}/${expected}`}`,
          this.path,
        );
      } else if (dirent.type !== this.context.image.dialect.fileTypes.directory) {
        faults.add('dirent-type', address, `"${name}" has the file type ${dirent.type}`, this.path);
      }
    }
  }

  /** Reads a chain of dirents; returns the number of live ones. `fits` says whether a hash belongs here. */
  private readArea(holder: number, bytes: Buffer, start: number, fits?: (hash: number) => boolean): number {
    const { faults } = this.context;
    let live = 0;
    let count = 0;
    const records = readDirents(bytes, start, (offset, message) => {
      faults.add('dirent-chain', holder, `${message}, at byte ${offset} of the block`, this.path);
    });
    for (const { dirent } of records) {
      count += 1;
      if (dirent === undefined) continue;
      live += 1;
      this.take(holder, dirent, fits);
    }
    if (live === 0 && count > 1)
      faults.add('dirent-chain', holder, `${count} records, and none of them in use`, this.path);
    this.live += live;
    return live;
  }

  private take(holder: number, dirent: Dirent, fits?: (hash: number) => boolean): void {
    const { faults } = this.context;
    const { name } = dirent;
    const shown = textFromByteString(name);
    const hash = hashOfName(name);
    if (dirent.hash !== hash) {
      faults.add(
        'dirent-hash',
        holder,
        `"${shown}" has the hash 0x${dirent.hash.toString(16)}, not 0x${hash.toString(16)}`,
        this.path,
      );
    }
    if (fits !== undefined && !fits(hash))
      faults.add('leaf-names', holder, `"${shown}" does not belong in this leaf`, this.path);
    if (this.seen.has(name)) {
      faults.add('dirent-name', holder, `"${shown}" stands twice`, this.path);
      return;
    }
    this.seen.add(name);
    if (name === '.' || name === '..') {
      this.dots.set(name, dirent);
      return;
    }
    const fault = faultOfName(name);
    if (fault === undefined) this.names.push({ dirent, block: holder });
    else faults.add('dirent-name', holder, `a dirent with ${fault}`, this.path);
  }

  private readHashed(): void {
    const { context, directory, path } = this;
    const { address } = directory;
    const table = context.faults.attempt('directory-table', address, () =>
      readHashTable(context.image, directory),
    );
    if (table === undefined) {
      context.checkBlockCount(directory, this.treeBlocks, path);
      return;
    }
    const blocksBefore = context.blocksUsed;
    const firstRuns = new Set<number>();
    for (const run of runsOf(table)) {
      if (run.leaf === 0) {
        context.faults.add(
          'directory-table',
          address,
          `entry ${run.first} of the hash table leads nowhere`,
          path,
        );
        continue;
      }
      if (firstRuns.has(run.leaf)) {
        context.faults.add(
          'leaf-depth',
          run.leaf,
          `pointers from entry ${run.first} on lead to this leaf, and so do others before them`,
          path,
        );
        continue;
      }
      firstRuns.add(run.leaf);
      this.readLeaves(run);
    }
    context.checkBlockCount(directory, this.treeBlocks + context.blocksUsed - blocksBefore, path);
  }

  /** A leaf and the chain behind it. */
  private readLeaves(run: PointerRun): void {
    const { context, path } = this;
    const { image, faults } = context;
    const { address: directory } = this.directory;
    let holder = directory;
    let position = 0;
    for (let leaf = run.leaf; leaf !== 0 && !faults.truncated; ) {
      if (!context.claim(leaf, Claim.metadata, holder, 'a directory leaf', path)) return;
      const block = image.readBlock(leaf);
      const fault = faultOfHeader(block, 'leaf');
      if (fault !== undefined) {
        faults.add('leaf-header', leaf, fault, path);
        return;
      }
      const header = decodeLeafHeader(block);
      if (header.direntFormat !== PayloadFormat.directory) {
        faults.add('leaf-header', leaf, `a leaf with dirents of format ${header.direntFormat}`, path);
      }
      context.checkLeafFields({ address: leaf, directory, position }, block, path);
      this.checkDepth(run, leaf, header.depth);
      const live = this.readArea(leaf, block, LEAF_HEADER_BYTES, (hash) => this.leadsTo(hash, run));
      if (live !== header.entries)
        faults.add('leaf-names', leaf, `the leaf counts ${header.entries} entries, it has ${live}`, path);
      holder = leaf;
      leaf = header.next;
      position += 1;
    }
  }

  private checkDepth(run: PointerRun, leaf: number, depth: number): void {
    const tableDepth = this.directory.dinode.depth;
    const expected = depth <= tableDepth ? 2 ** (tableDepth - depth) : 0;
    if (run.count !== expected || run.first % expected !== 0) {
      this.context.faults.add(
        'leaf-depth',
        leaf,
        `a leaf of depth ${depth} has ${run.count} pointers from entry ${run.first} on, in a table of depth ${tableDepth}`,
        this.path,
      );
    }
  }

  private leadsTo(hash: number, run: PointerRun): boolean {
    const { depth } = this.directory.dinode;
    const index = depth === 0 ? 0 : Math.floor(hash / 2 ** (32 - depth));
    return index >= run.first && index < run.first + run.count;
  }
}

function* runsOf(table: readonly number[]): Generator<PointerRun> {
  let first = 0;
  for (let index = 1; index <= table.length; index++) {
    if (index < table.length && table[index] === table[first]) continue;
    yield { leaf: table[first]!, first, count: index - first };
    first = index;
  }
}

/** Longest path in a message: a hostile image nests deeper than anyone wants to read, or to keep in memory. */
const SHOWN_PATH_MAX = 4096;

/** The path of a name, for messages. */
export function childPath(path: string, name: string): string {
  const full = joinPath(path, textFromByteString(name));
  return full.length <= SHOWN_PATH_MAX ? full : `…${full.slice(-SHOWN_PATH_MAX / 2)}`;
}
