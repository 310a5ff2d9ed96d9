import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FileSource } from '../images/bytes/byte-source.js';
import type { Pace } from '../images/bytes/pace.js';
import { SparseFile } from '../images/bytes/sparse-file.js';
import { hostError, printable, usageError } from '../images/diagnostic.js';
import { normaliseGfs2 } from '../images/gfs/gfs2/normalise.js';
import { runProgram } from './cluster-tools/run-program.js';
import { findProgram } from './program-folders.js';

/** The program, as a stage names its tools. */
export const MKFS_GFS2 = { program: 'mkfs.gfs2', versionArguments: ['-V'] } as const;

/** What decides the bytes of an empty GFS2 filesystem. */
export interface MakeGfs2Options {
  /** Of the image, in bytes. */
  readonly size: number;
  /** `lock_dlm` for a cluster, `lock_nolock` for one node. */
  readonly lockProtocol: string;
  /** `CLUSTER:FILESYSTEM`. */
  readonly lockTable: string;
  /** One for each node that may mount it at the same time. */
  readonly journals: number;
  /** Size of each journal, 8 or more. */
  readonly journalMiB: number;
  /** Bytes: a power of two, 512 to 4096. */
  readonly blockSize: number;
  /** With dashes; by default one that depends on the other options and nothing else. */
  readonly uuid?: string;
  /** All times in it: seconds since 1970. */
  readonly time: number;
}

/** Seconds that mkfs.gfs2 may take: it writes every block of every journal. */
const TIME_LIMIT = 3600;
/** What is kept of its output. */
const OUTPUT_BYTES_MAX = 64 * 1024;

/**
 * Makes an image at `path`, which must not exist, with an empty GFS2 filesystem: mkfs.gfs2 (Debian package
 * gfs2-utils) makes it, and what it makes of time and chance is then written over, so that the same options always
 * give the same bytes. Throws a DiagnosticError when the program is missing or refuses; nothing stays then.
 */
export async function makeGfs2(
  path: string,
  options: MakeGfs2Options,
  { pace, signal, name = path }: { pace: Pace; signal?: AbortSignal | undefined; name?: string },
): Promise<void> {
  const program = findProgram(MKFS_GFS2.program);
  if (program === undefined) {
    throw hostError(
      'the program mkfs.gfs2 is missing: it makes the empty GFS2 filesystem',
      'Install it (Debian package gfs2-utils).',
    );
  }
  const args = argumentsOf(options);
  SparseFile.create(path, options.size, { name }).close();
  try {
    await run(program, [...args, resolve(path)], name, signal);
    const sink = SparseFile.open(path, name);
    const source = new FileSource(path, name);
    try {
      await normaliseGfs2({ source, sink }, { seconds: options.time, nanoseconds: 0 }, pace);
      sink.close();
    } finally {
      sink.abandon();
      source.close();
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function argumentsOf(options: MakeGfs2Options): string[] {
  const { lockProtocol, lockTable, journals, journalMiB, blockSize } = options;
  // A value that looks like an option would be taken for one.
  for (const [what, value] of [
    ['lock protocol', lockProtocol],
    ['lock table', lockTable],
  ] as const) {
    if (!/^[A-Za-z0-9_][-A-Za-z0-9_:]*$/.test(value))
      throw usageError(`the ${what} of a GFS2 filesystem can't be "${printable(value)}"`);
  }
  return [
    '-O', // no question
    '-q',
    '-K', // no discards: a new file has nothing to discard
    ...['-p', lockProtocol],
    ...['-t', lockTable],
    ...['-j', `${journals}`],
    ...['-J', `${journalMiB}`],
    ...['-b', `${blockSize}`],
    ...['-U', options.uuid ?? uuidFor(options)],
    // The host's idea of stripes is no business of an image.
    ...['-o', 'align=0'],
  ];
}

/** A UUID of the version for hashes of one's own (RFC 9562, version 8), from all the options. */
function uuidFor({ uuid: _, ...options }: MakeGfs2Options): string {
  const parts = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  const bytes = createHash('sha256')
    .update(`gfs2\n${JSON.stringify(parts)}`)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

async function run(
  program: string,
  args: readonly string[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  let output = '';
  const end = await runProgram([program, ...args], {
    cwd: dirname(program),
    environment: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeLimit: TIME_LIMIT,
    signal,
    onOutput: (chunk) => {
      if (output.length < OUTPUT_BYTES_MAX) output += chunk.toString('utf8');
    },
  });
  if (end.kind === 'exit' && end.code === 0) return;
  const how =
    end.kind === 'exit'
      ? `exit status ${end.code}`
      : end.kind === 'signal'
        ? `signal ${end.signal}`
        : `it took more than ${TIME_LIMIT} seconds`;
  const said = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('This will destroy any data on '));
  const message = `mkfs.gfs2 failed (${how})${said.length === 0 ? '' : `: ${said.join('; ')}`}`;
  const tooSmall = said.some((line) => /will not fit|too small/i.test(line));
  const hint = tooSmall ? 'Make the image larger, or give it fewer or smaller journals.' : undefined;
  throw hostError(message, hint, { file: name });
}
