import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostError } from '../../images/diagnostic.js';
import { hostCommand } from './host-command.js';

/** A mount of this process's view of the host. */
export interface Mount {
  readonly target: string;
  /** Number of its device, `MAJOR:MINOR`. */
  readonly number: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** All mounts, the latest last (proc(5), mountinfo). */
export function mounts(): Mount[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const fields = line.split(' ');
    const [number, target, type] = [fields[2], fields[4], fields[fields.indexOf('-') + 1]];
    if (number === undefined || target === undefined || type === undefined) return [];
    return [{ target: unescaped(target), number, type, options: (fields[5] ?? '').split(',') }];
  });
}

/** Blanks, tabs, line ends and backslashes are written as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** What is mounted at a path, or below it. */
export function mountsBelow(path: string): Mount[] {
  return mounts().filter(({ target }) => target === path || target.startsWith(`${path}/`));
}

/** How long a mount may stay busy after the programs in it were killed, in milliseconds. */
const BUSY_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 100;

/** Unmounts what is on top at a path, and waits for killed programs to let go of it. */
export async function unmount(target: string): Promise<void> {
  const end = performance.now() + BUSY_MILLISECONDS;
  for (;;) {
    const { code, output } = await hostCommand(['umount', '--', target]);
    if (code === 0) return;
    if (!/busy/.test(output) || performance.now() > end) {
      throw hostError(
        `${target} can't be unmounted: ${output.trim().split('\n').at(-1)}`,
        'End what uses it, then run "ssi-image doctor --clean".',
      );
    }
    await sleep(POLL_MILLISECONDS);
  }
}
