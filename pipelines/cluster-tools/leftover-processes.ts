import { readdirSync, readFileSync } from 'node:fs';

/** A process may start another before it is killed: look again so often. */
const ROUNDS = 20;

/**
 * Kills what a program without a sandbox left running: every process whose environment has `HOME` as given, which
 * must be a folder made for that program alone. Processes of other users are not seen, nor touched.
 */
export function killProcessesOfHome(home: string): void {
  const marker = `\0HOME=${home}\0`;
  for (let round = 0; round < ROUNDS; round++) {
    const found = processes().filter((pid) => `\0${environmentOf(pid)}`.includes(marker));
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

/** The same as text for bash, which has that `HOME` too and spares itself. */
export const KILL_PROCESSES_OF_HOME = [
  'for round in 1 2 3; do',
  'for pid in $(grep -lzsxF "HOME=$HOME" /proc/[0-9]*/environ | tr -dc "0-9\\n"); do',
  '[ "$pid" = "$BASHPID" ] || kill -KILL "$pid"; done; done',
].join(' ');

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => pid !== process.pid);
  } catch {
    return [];
  }
}

/** Empty for a process that has ended, or belongs to somebody else. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
