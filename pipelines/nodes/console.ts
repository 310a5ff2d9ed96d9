import { printable } from '../../images/diagnostic.js';
import type { BoundedLog } from './console-log.js';

/** What who attaches to a console gets of what it has shown before, in bytes. */
const RECENT_BYTES = 4096;
/** Beyond this a line is looked at as far as it goes. */
const LINE_BYTES_MAX = 4096;
/** Lines that tell why a node did not come up. */
const LAST_LINES = 20;

/** A node's console: goes to its log, to whoever is attached, and line by line to whoever waits for something. */
export class Console {
  private readonly attached = new Set<(bytes: Buffer) => void>();
  private recent: Buffer = Buffer.alloc(0);
  private line = '';
  private readonly last: string[] = [];

  constructor(
    private readonly log: BoundedLog,
    private readonly onLine: (line: string) => void,
  ) {}

  /** Takes what the node shows. */
  show(bytes: Buffer): void {
    this.log.append(bytes);
    this.recent = Buffer.concat([this.recent, bytes]).subarray(-RECENT_BYTES);
    for (const sink of this.attached) sink(bytes);
    const [first = '', ...others] = bytes.toString('latin1').split('\n');
    this.extendLine(first);
    for (const part of others) {
      this.endLine();
      this.extendLine(part);
    }
  }

  /** Hands what is shown from now on, and a bit of what was before, to `sink`. Returns what ends that. */
  attach(sink: (bytes: Buffer) => void): () => void {
    if (this.recent.length > 0) sink(this.recent);
    this.attached.add(sink);
    return () => this.attached.delete(sink);
  }

  /** The last lines, as a terminal may have them. */
  lastLines(): string[] {
    return [...this.last, ...(this.line.trim() === '' ? [] : [this.line])]
      .slice(-LAST_LINES)
      .map((line) => printable(line.replace(/\r$/, '')));
  }

  /** What has been shown of a line that is not complete, such as a prompt. */
  get openLine(): string {
    return this.line;
  }

  close(): void {
    if (this.line !== '') this.endLine();
    this.attached.clear();
    this.log.close();
  }

  private extendLine(part: string): void {
    if (this.line.length < LINE_BYTES_MAX) this.line += part.slice(0, LINE_BYTES_MAX - this.line.length);
  }

  private endLine(): void {
    const line = this.line.replace(/\r+$/, '');
    this.line = '';
    if (line.trim() !== '') {
      this.last.push(line);
      if (this.last.length > LAST_LINES) this.last.shift();
    }
    this.onLine(line);
  }
}
