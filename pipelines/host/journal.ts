import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { identityIn, mayBeAlive, nameOf, thisProcess } from '../cache/process-identity.js';
import type { Made } from './made.js';
import { isMade } from './made-shape.js';

const ENDING = '.journal';
const JOURNAL_BYTES_MAX = 1024 * 1024;

/** A line of a journal: something is about to be made, or was taken away again. */
type Entry =
  | { readonly id: number; readonly made: Made; readonly boot: string }
  | { readonly id: number; readonly undone: true };

/**
 * What a host build makes outside of its own folder, on disk before it is made: whoever finds the journal of a dead
 * process takes away what that left. One line an entry; a line that was cut off stands for something that was never
 * made.
 */
export class Journal {
  private next = 0;
  private readonly standing = new Map<number, Made>();

  private constructor(
    readonly path: string,
    private readonly descriptor: number,
  ) {}

  /** Begins the journal of this process. */
  static begin(folder: string): Journal {
    const path = join(folder, `${nameOf(thisProcess)}${ENDING}`);
    try {
      const journal = new Journal(path, openSync(path, 'ax', 0o600));
      syncFolder(folder);
      return journal;
    } catch (cause) {
      throw readableHostError(cause, path);
    }
  }

  /** What stands, the latest first. */
  get made(): readonly { readonly id: number; readonly made: Made }[] {
    return [...this.standing].map(([id, made]) => ({ id, made })).reverse();
  }

  /** Writes down what is about to be made. */
  note(made: Made): number {
    const id = this.next++;
    this.append({ id, made, boot: thisProcess.boot });
    this.standing.set(id, made);
    return id;
  }

  /** Writes down that it is gone. */
  noteUndone(id: number): void {
    this.append({ id, undone: true });
    this.standing.delete(id);
  }

  /** Ends the journal; one in which something stands is kept for the next run. */
  close(): void {
    closeSync(this.descriptor);
    if (this.standing.size === 0) rmSync(this.path, { force: true });
  }

  private append(entry: Entry): void {
    try {
      writeSync(this.descriptor, `${JSON.stringify(entry)}\n`);
      fsyncSync(this.descriptor);
    } catch (cause) {
      throw readableHostError(cause, this.path);
    }
  }
}

/** A journal that somebody left. */
export interface LeftJournal {
  readonly path: string;
  /** Whether the process still runs that writes it. */
  readonly isAlive: boolean;
  /** What it says is still there, the latest first; what another boot made is gone, but for folders. */
  readonly standing: readonly Made[];
}

/** The journals in a folder. Lines that are none are passed over: the file may be damaged, and nobody guesses. */
export function leftJournals(folder: string): LeftJournal[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(ENDING));
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return [];
    throw readableHostError(cause, folder);
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const owner = identityIn(basename(name, ENDING));
    if (owner === undefined) return [];
    return [{ path, isAlive: mayBeAlive(owner, path), standing: standingIn(path) }];
  });
}

function standingIn(path: string): Made[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').slice(0, JOURNAL_BYTES_MAX);
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  const standing = new Map<number, Made>();
  for (const line of text.split('\n')) {
    const entry = entryIn(line);
    if (entry === undefined) continue;
    if ('undone' in entry) standing.delete(entry.id);
    else if (entry.boot === thisProcess.boot || entry.made.kind === 'folder')
      standing.set(entry.id, entry.made);
  }
  return [...standing.values()].reverse();
}

function entryIn(line: string): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, made, boot, undone } = value as Record<string, unknown>;
  if (typeof id !== 'number') return undefined;
  if (undone === true) return { id, undone };
  return typeof boot === 'string' && isMade(made) ? { id, made, boot } : undefined;
}

/** A new name is on disk only when its folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
