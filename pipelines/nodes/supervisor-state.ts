import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { identityIn, mayBeAlive } from '../cache/process-identity.js';
import type { ClusterPlaces } from './places.js';

const schema = z.object({
  version: z.number(),
  pid: z.number().int().positive(),
  runtime: z.string(),
  socket: z.string(),
});

/** What a supervisor says of itself in its cluster's folder. */
export type SupervisorState = z.infer<typeof schema>;

/** What the last supervisor of a cluster said, be it alive or not. */
export function supervisorState({ state }: ClusterPlaces): SupervisorState | undefined {
  try {
    return schema.safeParse(JSON.parse(readFileSync(state, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Whether a process has the cluster. */
export function isSupervised({ lock }: ClusterPlaces): boolean {
  try {
    const holder = identityIn(readFileSync(lock, 'latin1'));
    return holder !== undefined && mayBeAlive(holder, lock);
  } catch {
    return false;
  }
}
