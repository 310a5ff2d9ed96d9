import { readFileSync, readlinkSync, statSync } from 'node:fs';

/** Which process made something, so that others can tell after its death that nobody will finish it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in clock ticks after boot: process numbers are used again. */
  readonly started: string;
  /** The boot it belongs to: after another boot it is gone. */
  readonly boot: string;
  /** Its process number's namespace: in another container the same number is another process. */
  readonly namespace: string;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return 'unknown';
  }
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'unknown';
  }
}

/**
 * Start time of a process that runs; undefined for one that does not, or is dead and only not waited for; `hidden`
 * for another user's on a host that shows nobody else's.
 */
function startOf(pid: number): string | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return isHidden(pid) ? 'hidden' : undefined;
  }
  // The name in parentheses may hold anything: what follows the last one is safe to split.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Whether there is such a process that this user may not see: /proc can be mounted with `hidepid`. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const boot = bootId();
const namespace = processNamespace();

/** The identity of this boot of the host. */
export const thisBoot = boot;

/** This process. */
export const thisProcess: ProcessIdentity = {
  pid: process.pid,
  started: startOf(process.pid) ?? '0',
  boot,
  namespace,
};

/**
 * Whether a process may still run. One in another container can't be seen from here: it counts as alive while the file
 * that names it was touched during the last `silence` milliseconds.
 */
export function mayBeAlive(identity: ProcessIdentity, file: string, silence = 10 * 60_000): boolean {
  if (identity.boot !== boot) return boot === 'unknown';
  if (identity.namespace === namespace) {
    const started = startOf(identity.pid);
    return started === identity.started || started === 'hidden';
  }
  try {
    return Date.now() - statSync(file).mtimeMs < silence;
  } catch {
    return false;
  }
}

/** The identity as a part of a file name. */
export function nameOf({ pid, started, boot: of, namespace: within }: ProcessIdentity): string {
  return [pid, started, of, within.replace(/\D/g, '') || '0'].join('_');
}

/** The identity in a part of a file name, or undefined when it is none. */
export function identityIn(name: string): ProcessIdentity | undefined {
  const match = /^(\d{1,10})_(\d{1,20})_([0-9a-z-]{1,40})_(\d{1,20})$/.exec(name);
  if (match === null) return undefined;
  const [, pid = '', started = '', of = '', within = ''] = match;
  return {
    pid: Number(pid),
    started,
    boot: of,
    namespace: within === namespace.replace(/\D/g, '') ? namespace : `pid:[${within}]`,
  };
}
