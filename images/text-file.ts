import { type Diagnostic, DiagnosticError } from './diagnostic.js';

/** A word of a line and where it stands: columns count from 1. */
export interface Word {
  readonly text: string;
  readonly column: number;
}

/** A line of a configuration file with something on it. */
export interface Line {
  readonly number: number;
  readonly text: string;
  readonly words: readonly Word[];
}

/** The lines of a text that are not empty once comments (`#` to the end) are taken off, as words. */
export function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const comment = line.indexOf('#');
    const content = comment < 0 ? line : line.slice(0, comment);
    const words = [...content.matchAll(/\S+/g)].map((match) => ({ text: match[0], column: match.index + 1 }));
    if (words.length > 0) lines.push({ number: index + 1, text: line, words });
  }
  return lines;
}

/**
 * A line as a terminal may have it: the text of an image can hold sequences that steer one. Every character stays
 * one, so that columns do not move.
 */
function shown(text: string): string {
  return text.replace(/\r$/, '').replace(/(?!\t)[\p{Cc}\p{Cs}\u2028\u2029]/gu, '\ufffd');
}

/** Gathers all that is wrong with a configuration file, each with its place, so that one run shows everything. */
export class FaultCollector {
  private readonly diagnostics: Diagnostic[] = [];

  constructor(private readonly file: string) {}

  /** How many faults there are so far. */
  get count(): number {
    return this.diagnostics.length;
  }

  /** Notes a fault at a word (or a column) of a line. */
  at(line: Line, word: Word | number, message: string, hint?: string): void {
    const column = typeof word === 'number' ? word : word.column;
    const width = typeof word === 'number' ? 1 : word.text.length;
    // Tabs stay tabs, so that the caret stands below its word whatever their width.
    const indent = line.text.slice(0, column - 1).replace(/[^\t]/g, ' ');
    this.diagnostics.push({
      kind: 'usage',
      message,
      location: { file: this.file, line: line.number, column },
      excerpt: [shown(line.text), `${indent}${'^'.repeat(width)}`],
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Notes a fault of the file as a whole. */
  missing(message: string, hint?: string): void {
    const location = { file: this.file };
    this.diagnostics.push({ kind: 'usage', message, location, ...(hint === undefined ? {} : { hint }) });
  }

  /** Throws a DiagnosticError with everything noted so far, in the order of the lines. */
  throwIfAny(): void {
    if (this.diagnostics.length === 0) return;
    // What is missing in the file as a whole comes last.
    const line = ({ location }: Diagnostic): number => location?.line ?? Number.MAX_SAFE_INTEGER;
    const column = ({ location }: Diagnostic): number => location?.column ?? 0;
    throw new DiagnosticError(
      [...this.diagnostics].sort((a, b) => line(a) - line(b) || column(a) - column(b)),
    );
  }
}
