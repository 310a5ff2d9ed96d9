import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { readableHostError, systemErrorCode } from '../images/bytes/host-error.js';
import { hostError } from '../images/diagnostic.js';

/** Programs that decompress from standard input to standard output, and the Debian packages that bring them. */
const packages = { xz: 'xz-utils', zstd: 'zstd' } as const;
export type DecoderProgram = keyof typeof packages;

const PROGRESS_MILLISECONDS = 100;

/** So much of what a program complains of is kept. */
const COMPLAINT_BYTES = 4096;

/** The program that is needed is not on this host. */
export class ProgramMissing extends Error {
  constructor(readonly program: DecoderProgram) {
    super(`the program ${program} is missing`);
  }

  /** As a message about a file that needs it. */
  explain(path: string): Error {
    return hostError(
      `${path} is compressed with ${this.program}, but ${this.message}`,
      `Install it (Debian package ${packages[this.program]}), or decompress the file yourself.`,
    );
  }
}

export interface ProgramOptions {
  /** Threads, where the program knows how. */
  readonly jobs: number;
  readonly signal?: AbortSignal;
  /** Called with how many bytes the program has read so far, where the host tells. */
  onProgress?(bytesIn: number): void;
}

/**
 * Runs a program over a file and gives what it writes to `sink`. The program gets the file opened, so that no name
 * can be taken for an option. Whatever happens, it has ended when this returns; on an abort it is killed.
 *
 * Throws ProgramMissing, an Error with what the program complains of (the data is damaged, cut, or nothing that it takes),
 * a DiagnosticError when the file can't be read, or what `sink` throws.
 */
export async function decodeWithProgram(
  program: DecoderProgram,
  path: string,
  sink: (bytes: Uint8Array) => void,
  options: ProgramOptions,
): Promise<void> {
  let input: number;
  try {
    input = openSync(path, 'r');
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  try {
    await runProgram(program, input, sink, options);
  } catch (error) {
    throw systemErrorCode(error) === 'ENOENT' ? new ProgramMissing(program) : error;
  } finally {
    closeSync(input);
  }
}

async function runProgram(
  program: DecoderProgram,
  input: number,
  sink: (bytes: Uint8Array) => void,
  { jobs, signal, onProgress }: ProgramOptions,
): Promise<void> {
  const threads = program === 'xz' ? [`-T${jobs}`] : [];
  const child = spawn(program, ['-dc', ...threads], {
    stdio: [input, 'pipe', 'pipe'],
    env: environment(),
  }) as ChildProcessByStdio<null, Readable, Readable>;
  const kill = (): void => void child.kill('SIGKILL');
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => {
    if (complaint.length < COMPLAINT_BYTES) complaint += data.toString('latin1');
  });
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  const copied = copyOutput(child.stdout, sink, progressOf(input, onProgress)).catch((error: unknown) => {
    // Nobody reads what it still writes.
    kill();
    throw error;
  });
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted === true) kill();
  try {
    const [copy, end] = await Promise.allSettled([copied, ended]);
    if (end.status === 'rejected') throw end.reason;
    // A full disk breaks the pipe, and then the program fails too: the cause is what the copy says.
    if (copy.status === 'rejected') throw copy.reason;
    const [code, killer] = end.value;
    if (code !== 0)
      throw new Error(complaint.trim().split('\n')[0] || `${program} ended with ${code ?? killer}`);
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** Resolves at the end of the output. Events instead of an iterator: there are tens of thousands of pieces. */
function copyOutput(
  output: Readable,
  sink: (bytes: Uint8Array) => void,
  progress: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    output.on('data', (bytes: Buffer) => {
      try {
        sink(bytes);
        progress();
      } catch (error) {
        reject(error);
        output.destroy();
      }
    });
    output.once('error', reject);
    output.once('close', resolve);
  });
}

/** Reports now and then how far the program has read: it shares the place in the file with us. */
function progressOf(input: number, report?: (bytesIn: number) => void): () => void {
  if (report === undefined) return () => {};
  let last = performance.now();
  return () => {
    if (performance.now() - last < PROGRESS_MILLISECONDS) return;
    last = performance.now();
    report(positionIn(input));
  };
}

/** The place in an opened file; 0 where the host does not tell. */
function positionIn(descriptor: number): number {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
    return Number(/^pos:\s*(\d+)/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Messages in English, and no options that a user has set for when he runs the programs himself. */
function environment(): NodeJS.ProcessEnv {
  const { XZ_OPT, XZ_DEFAULTS, ZSTD_CLEVEL, ZSTD_NBTHREADS, ...rest } = process.env;
  return { ...rest, LC_ALL: 'C' };
}
