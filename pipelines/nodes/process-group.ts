import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often it is looked whether a group is gone, in milliseconds. */
const POLL_MILLISECONDS = 10;

/** Sends a signal to all processes of a group; to none when there is none left. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // They have ended.
  }
}

/**
 * Whether a process of a group still runs. One that is dead and only not waited for does not count: it may stay so for
 * long where the first process of a container waits for nobody.
 */
export function groupRuns(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return processesOfGroup(group).length > 0;
}

/** Process numbers of a group's members that run. */
export function processesOfGroup(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const fields = statusOf(pid);
      return fields !== undefined && Number(fields[2]) === group && fields[0] !== 'Z' && fields[0] !== 'X';
    });
}

/** Kills a group and waits until none of it is left. False when something stays, in uninterruptible sleep. */
export async function endGroup(group: number, milliseconds = 10_000): Promise<boolean> {
  const until = performance.now() + milliseconds;
  do {
    signalGroup(group, 'SIGKILL');
    if (!groupRuns(group)) return true;
    await sleep(POLL_MILLISECONDS);
  } while (performance.now() < until);
  return false;
}

/** State, parent, group, …, as /proc/PID/stat has them behind the name; undefined when there is no such process. */
function statusOf(pid: number): string[] | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything: what follows the last one is safe to split.
    return status.slice(status.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
