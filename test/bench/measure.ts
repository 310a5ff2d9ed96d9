import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One run of a command, seen from outside. */
export interface Run {
  readonly seconds: number;
  /** Largest resident size of its main process in MiB. */
  readonly peakMiB: number;
}

/** A command to time. `prepare` runs before each run and is not counted. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly prepare?: () => void;
}

/** How often the memory of a running command is looked at; the kernel keeps the high-water mark itself. */
const LOOK_MILLISECONDS = 20;

function highWaterMark(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Runs a command to its end. Throws when it fails: a failed run is no measurement. */
function runOnce({ command, prepare }: Contestant): Promise<Run> {
  prepare?.();
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    let peakMiB = 0;
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const look = setInterval(() => {
      if (child.pid !== undefined) peakMiB = Math.max(peakMiB, highWaterMark(child.pid));
    }, LOOK_MILLISECONDS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(look);
      const seconds = (performance.now() - start) / 1000;
      if (code === 0) resolve({ seconds, peakMiB });
      else reject(new Error(`${command.join(' ')} exited with ${code}: ${errors}`));
    });
  });
}

/** Median, minimum and maximum. */
export interface Spread {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, minimum: sorted[0]!, maximum: sorted.at(-1)! };
}

export interface Result {
  readonly name: string;
  readonly seconds: Spread;
  readonly peakMiB: number;
  /** Time of this contestant by that of the first one in the same round. */
  readonly ratio: Spread;
}

/**
 * Runs all contestants in turn, A B C A B C …, after one uncounted round, so that a machine whose speed drifts
 * slows them all alike.
 */
export async function compare(contestants: readonly Contestant[], rounds: number): Promise<Result[]> {
  const runs: Run[][] = contestants.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const run = await runOnce(contestant);
      if (round >= 0) runs[index]!.push(run);
    }
  }
  return contestants.map(({ name }, index) => ({
    name,
    seconds: spreadOf(runs[index]!.map(({ seconds }) => seconds)),
    peakMiB: Math.max(...runs[index]!.map(({ peakMiB }) => peakMiB)),
    ratio: spreadOf(runs[index]!.map(({ seconds }, round) => seconds / runs[0]![round]!.seconds)),
  }));
}

/** A Markdown table of results. */
export function table(title: string, results: readonly Result[]): string {
  const seconds = (value: number): string => value.toFixed(value < 1 ? 3 : 2);
  const rows = results.map(
    ({ name, seconds: time, peakMiB, ratio }) =>
      `| ${name} | ${seconds(time.median)} s (${seconds(time.minimum)}–${seconds(time.maximum)}) | ${ratio.median.toFixed(2)} | ${peakMiB.toFixed(0)} MiB |`,
  );
  return [
    `### ${title}`,
    '',
    '| command | median (min–max) | ratio to the first | peak memory |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
