import { closeSync, openSync, writeSync } from 'node:fs';
import { byteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import { printable } from '../../images/diagnostic.js';

const MIB = 1024 * 1024;
/** Output is kept from its start up to this; a program that prints without end must not fill the disk. */
const HEAD_BYTES = 63 * MIB;
/** And so much of its end. */
const TAIL_BYTES = MIB;
/** What is shown of one line. */
const LINE_BYTES = 4096;
/** Lines kept for the message of a failure. */
const LAST_LINES = 15;

const NEWLINE = 10;

/**
 * What a program printed: to a file on the host, of at most 64 MiB (the middle is left out), and line by line, safe
 * for a terminal, to whoever watches.
 */
export class OutputLog {
  private readonly descriptor: number;
  private head = 0;
  private tail: Buffer[] = [];
  private tailBytes = 0;
  private leftOut = 0;
  /** The line that has not ended yet, as far as it is shown. */
  private line: Buffer[] = [];
  private lineBytes = 0;
  private readonly last: string[] = [];

  /** Makes the file at `path`. `onLine` gets every line of the part that is kept from the start. */
  constructor(
    readonly path: string,
    private readonly onLine: (line: string) => void,
  ) {
    try {
      this.descriptor = openSync(path, 'wx', 0o644);
    } catch (cause) {
      throw readableHostError(cause, path);
    }
  }

  /** The last lines that are not empty. */
  get lastLines(): readonly string[] {
    return this.last;
  }

  write(chunk: Buffer): void {
    this.keep(chunk);
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.addToLine(chunk.subarray(start, end));
      this.endLine();
      start = end + 1;
    }
    this.addToLine(chunk.subarray(start));
  }

  /** Completes the file. Throws a DiagnosticError when the disk is full. */
  close(): void {
    if (this.lineBytes > 0) this.endLine();
    try {
      if (this.leftOut > 0) this.writeOut(Buffer.from(`\n[${this.leftOut} bytes are left out here]\n`));
      for (const chunk of this.tail) this.writeOut(chunk);
    } finally {
      this.tail = [];
      closeSync(this.descriptor);
    }
  }

  private keep(chunk: Buffer): void {
    const count = Math.min(chunk.length, HEAD_BYTES - this.head);
    if (count > 0) {
      this.writeOut(chunk.subarray(0, count));
      this.head += count;
    }
    if (count === chunk.length) return;
    // A copy: the stream's buffer may be larger than the piece, and is kept alive by it.
    const rest = Buffer.from(chunk.subarray(count));
    this.tail.push(rest);
    this.tailBytes += rest.length;
    for (let first = this.tail[0]; first !== undefined && this.tailBytes - first.length >= TAIL_BYTES; ) {
      this.tail.shift();
      this.tailBytes -= first.length;
      this.leftOut += first.length;
      first = this.tail[0];
    }
  }

  private addToLine(part: Buffer): void {
    const room = LINE_BYTES - this.lineBytes;
    if (part.length === 0 || room <= 0) return;
    this.line.push(Buffer.from(part.subarray(0, room)));
    this.lineBytes += Math.min(part.length, room);
  }

  private endLine(): void {
    const text = shown(Buffer.concat(this.line));
    this.line = [];
    this.lineBytes = 0;
    if (text.trim() !== '') {
      this.last.push(text);
      if (this.last.length > LAST_LINES) this.last.shift();
    }
    if (this.head < HEAD_BYTES) this.onLine(text);
  }

  private writeOut(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.descriptor, bytes, done);
    } catch (cause) {
      throw readableHostError(cause, this.path);
    }
  }
}

function shown(line: Buffer): string {
  return printable(textFromByteString(byteString(line)).replace(/\r+$/, '').replaceAll('\t', ' '));
}
