import type { ByteString } from '../bytes/byte-string.js';
import { DEPTH_MAX } from './constants.js';
import { hashOfName, minimumRecordBytes } from './dirent.js';
import type { Geometry } from './geometry.js';

/** A name with its hash and the room it needs, before it is known which dinode it gets. */
export interface PlannedName {
  readonly name: ByteString;
  readonly hash: number;
  readonly recordBytes: number;
}

/** A leaf of a planned directory, with the run of hash-table entries that point at it. */
export interface PlannedLeaf {
  readonly depth: number;
  /** First of its hash-table entries, counted at the directory's depth. */
  readonly firstPointer: number;
  readonly pointers: number;
  /** The names of each block: more than one only where names with equal hashes overflow at the greatest depth. */
  readonly chain: readonly (readonly PlannedName[])[];
}

export type DirectoryPlan =
  | { readonly kind: 'linear'; readonly names: readonly PlannedName[] }
  | { readonly kind: 'hashed'; readonly depth: number; readonly leaves: readonly PlannedLeaf[] };

/** Names of a directory as they will lie on disk; `names` has neither `.` nor `..`, which come first. */
export function planDirectory(geometry: Geometry, names: Iterable<ByteString>): DirectoryPlan {
  const planned = ['.', '..', ...names].map((name) => ({
    name,
    hash: hashOfName(name),
    recordBytes: minimumRecordBytes(name.length),
  }));
  if (bytesOfNames(planned) <= geometry.stuffedBytes) return { kind: 'linear', names: planned };
  const groups = splitByHash(
    geometry,
    planned.sort((a, b) => a.hash - b.hash || compare(a.name, b.name)),
  );
  const depth = groups.reduce((deepest, group) => Math.max(deepest, group.depth), geometry.initialDepth);
  const leaves = groups.map((group) => ({
    depth: group.depth,
    firstPointer: group.prefix * 2 ** (depth - group.depth),
    pointers: 2 ** (depth - group.depth),
    chain: chainOf(geometry, group.names),
  }));
  return { kind: 'hashed', depth, leaves };
}

/** Leaf blocks of a plan. */
export function countLeafBlocks(plan: DirectoryPlan): number {
  return plan.kind === 'linear' ? 0 : plan.leaves.reduce((count, leaf) => count + leaf.chain.length, 0);
}

interface Group {
  readonly depth: number;
  /** The top `depth` bits that all hashes of the group share. */
  readonly prefix: number;
  readonly names: readonly PlannedName[];
}

/**
 * Halves the names, which are sorted by hash, on one more bit of the hash until each group fits in a leaf (§5,
 * "Offline builder"). Groups come out in the order of their hashes.
 */
function splitByHash(geometry: Geometry, names: readonly PlannedName[]): Group[] {
  const done: Group[] = [];
  const pending: Group[] = [{ depth: 0, prefix: 0, names }];
  for (let group = pending.pop(); group !== undefined; group = pending.pop()) {
    if (bytesOfNames(group.names) <= geometry.leafBytes || group.depth === DEPTH_MAX) {
      done.push(group);
      continue;
    }
    const depth = group.depth + 1;
    const divider = (group.prefix * 2 + 1) * 2 ** (32 - depth);
    const firstUpper = group.names.findIndex(({ hash }) => hash >= divider);
    const half = firstUpper < 0 ? group.names.length : firstUpper;
    pending.push({ depth, prefix: group.prefix * 2 + 1, names: group.names.slice(half) });
    pending.push({ depth, prefix: group.prefix * 2, names: group.names.slice(0, half) });
  }
  return done;
}

/** The blocks that names of one leaf fill, at least one. */
function chainOf(geometry: Geometry, names: readonly PlannedName[]): PlannedName[][] {
  let block: PlannedName[] = [];
  const chain = [block];
  let room = geometry.leafBytes;
  for (const name of names) {
    if (name.recordBytes > room) {
      block = [];
      chain.push(block);
      room = geometry.leafBytes;
    }
    block.push(name);
    room -= name.recordBytes;
  }
  return chain;
}

function bytesOfNames(names: readonly PlannedName[]): number {
  return names.reduce((sum, { recordBytes }) => sum + recordBytes, 0);
}

function compare(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
