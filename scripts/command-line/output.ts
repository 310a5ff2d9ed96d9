import { once } from 'node:events';
import { Pace } from '../../images/bytes/pace.js';
import { printable } from '../../images/diagnostic.js';
import { interruptionSignal } from './run.js';

/** A pace that ends when the user interrupts the command. */
export function commandPace(): Pace {
  return new Pace(interruptionSignal);
}

/** Gathers lines for standard output and waits when the reader is slower than we are. */
export class LineWriter {
  private lines: string[] = [];
  private length = 0;

  async line(text: string): Promise<void> {
    this.lines.push(text, '\n');
    this.length += text.length;
    if (this.length > 64 * 1024) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.lines.length === 0) return;
    const text = this.lines.join('');
    this.lines = [];
    this.length = 0;
    await writeOut(text);
  }
}

/** Writes to standard output, and waits while its buffer is full. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(data)) await once(process.stdout, 'drain');
}

/** Binary multiples, for people: `640.2 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Facts as aligned `name: value` lines; what an image put into them can't steer the terminal. */
export function formatFacts(facts: readonly (readonly [name: string, value: string | number])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  return facts
    .map(([name, value]) => `${`${printable(name)}:`.padEnd(width)} ${printable(String(value))}\n`)
    .join('');
}
