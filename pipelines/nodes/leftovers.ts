import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostError } from '../../images/diagnostic.js';
import { tryLock } from '../cache/lock.js';
import { removeAll } from '../cache/scratch.js';
import { MARK_VARIABLE } from './guest-process.js';
import { removeMemoryFolders } from './memory-folder.js';
import type { ClusterPlaces } from './places.js';
import { endGroup } from './process-group.js';
import { supervisorState } from './supervisor-state.js';

/**
 * Ends and removes what a supervisor left that was killed: its nodes end by themselves when it does (GuestProcess), so
 * here is mostly nothing to do but to remove files. Whoever calls this has the cluster's lock. Throws a DiagnosticError
 * when a process can't be ended: no other node may start then.
 */
export async function endLeftovers(places: ClusterPlaces): Promise<void> {
  for (const group of groupsMarked(places.folder)) {
    if (!(await endGroup(group)))
      throw hostError(
        `the process group ${group} of this cluster was left behind by a command that was killed, and can't be ended`,
        'No node can be started while it may write the root.',
      );
  }
  removeMemoryFolders(places.folder);
  const state = supervisorState(places);
  // What the file says is only removed where it looks like what it should be.
  if (state === undefined) return;
  if (/\/(ssiuml|run|ssiuml-\d+)\/[^/]+$/.test(state.runtime) && state.runtime.endsWith(`/${places.name}`))
    removeAll(state.runtime);
}

/** The same for a cluster that nobody has. */
export async function clearLeftovers(places: ClusterPlaces): Promise<void> {
  if (!existsSync(places.folder)) return;
  const lock = tryLock(places.lock);
  if (!('release' in lock)) return;
  try {
    await endLeftovers(places);
    rmSync(places.state, { force: true });
  } finally {
    lock.release();
  }
}

/** Process groups whose first process, or any other, has the mark of this cluster. */
function groupsMarked(mark: string): number[] {
  const groups = new Set<number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!`\0${readFileSync(`/proc/${name}/environ`, 'latin1')}`.includes(`\0${MARK_VARIABLE}=${mark}\0`))
        continue;
      const status = readFileSync(`/proc/${name}/stat`, 'latin1');
      groups.add(Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[2]));
    } catch {
      // It has ended, or is somebody else's.
    }
  }
  return [...groups].filter((group) => group > 1);
}
