import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterNode, Milestone } from './node.js';

/** Files in a node's folder on the host, by what /init of the ramdisk must not do while they are there. */
export type Hold =
  /** Look for other nodes. */
  | 'hold'
  /** Start its lock manager; six seconds at most. */
  | 'hold-locks'
  /** Mount the root; six seconds at most. */
  | 'hold-mount';

/** How long nodes wait for the others that are on their way, at each step; together less than what /init waits. */
const TOGETHER_MILLISECONDS = 2000;

/** What a node is started with. */
export interface Together {
  /** Whether one of them forms the cluster. */
  readonly hasFounder: boolean;
  /** How many they are with it. */
  readonly count: number;
}

/** Nodes that were started together. */
export interface Start {
  /** Undefined when there is a cluster. */
  readonly founder: ClusterNode | undefined;
  readonly joining: readonly ClusterNode[];
  /** A node's folder on the host. */
  readonly folderOf: (node: ClusterNode) => string;
  readonly milliseconds: number;
  readonly signal: AbortSignal;
}

/** What a node has to wait for, by what was started with it. */
export function holdsOf({
  isFounder,
  hasFounder,
  count,
}: Together & { readonly isFounder: boolean }): Hold[] {
  const holds: Hold[] = isFounder ? [] : ['hold'];
  if (count > 1) holds.push('hold-locks');
  if (hasFounder && !isFounder) holds.push('hold-mount');
  return holds;
}

/** Has the node of a folder wait when it comes to that. */
export function hold(hostFolder: string, holds: readonly Hold[]): void {
  for (const name of holds) writeFileSync(join(hostFolder, name), '');
}

/**
 * Takes nodes through what they do together, which decides how long it takes and nothing else:
 *
 * - All that join look for the cluster at the same moment, when it can be found. Where one comes while corosync takes another
 *   in, it can lose its token, and finds out after 1.7 s.
 * - Lock managers start when all are members. Each that comes keeps those who start waiting: corosync asks dlm_controld to
 *   try again, which it does after a second, and DLM begins anew with what it calls recovery (0.2 s).
 * - The root is mounted by the founder first, who looks through all journals; a node that comes to look for the root half a
 *   second later, as GFS2 does, finds that done.
 *
 * Throws a DiagnosticError when the founder fails, and there is nothing that the others could join.
 */
export async function joinTogether({
  founder,
  joining,
  folderOf,
  milliseconds,
  signal,
}: Start): Promise<void> {
  const all = founder === undefined ? joining : [founder, ...joining];
  const release = (nodes: readonly ClusterNode[], name: Hold): void => {
    for (const node of nodes) rmSync(join(folderOf(node), name), { force: true });
  };
  const eachReaches = (milestone: Milestone): Promise<unknown> =>
    Promise.race([
      // What goes wrong with a node is told by who waits until it is ready.
      Promise.allSettled(joining.map((node) => node.reaches(milestone, milliseconds, signal))),
      sleep(TOGETHER_MILLISECONDS, undefined, { ref: false }),
    ]);
  await founder?.reaches('in-touch', milliseconds, signal);
  if (joining.length > 1) await eachReaches('waiting');
  for (const node of joining) node.mayJoin();
  release(joining, 'hold');
  if (all.length > 1) await eachReaches('joined');
  release(all, 'hold-locks');
  await founder?.reaches('mounting', milliseconds, signal);
  release(joining, 'hold-mount');
}
