import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { PROGRAM_FOLDERS, requireProgram } from '../program-folders.js';
import { OutputLog } from './output-log.js';
import { type ProgramEnd, runProgram } from './run-program.js';

/** A module of a CVS repository, as it was at a date or under a tag; without either, its newest state. */
export interface CvsModule {
  /** `/path`, `:local:/path`, `:pserver:[user[:password]@]host[:port]/path` or `:ext:[user@]host:/path`. */
  readonly root: string;
  readonly module: string;
  /** As cvs takes it; without a time zone it is UTC. */
  readonly date?: string;
  readonly tag?: string;
}

export interface CvsOptions {
  readonly signal?: AbortSignal;
  /** Seconds. */
  readonly timeLimit: number;
}

const name = '[A-Za-z0-9_][A-Za-z0-9_.-]*';
const path = '/[^\\0-\\x1f]*';
const local = new RegExp(`^(?::local:)?(${path})$`);
/**
 * The only ways to a repository that are taken. A root may also name programs to run (`:fork:`, `:ext;CVS_RSH=…:`),
 * and a host that begins with a dash would be an option of ssh.
 */
const remote = [
  new RegExp(`^:pserver:(?:${name}(?::[^@\\s]*)?@)?${name}:?\\d{0,5}${path}$`),
  new RegExp(`^:ext:(?:${name}@)?${name}:?${path}$`),
];
/** What CVS allows in a tag. */
const tagForm = /^[A-Za-z][\w-]*$/;
/** Text of a date; it goes to cvs as the value of an option. */
const dateForm = /^[\w][\w ,:./+-]{0,63}$/;

/**
 * Gets a module from a CVS repository (HOWTO 5.3.2) with the program `cvs`: its files go to `destination`, which
 * must not exist, without CVS's own folders. Nothing in the repository is run, and nobody's `.cvsrc` is read. Throws a
 * DiagnosticError when cvs is missing or fails, when the time is over, on an abort, and on a root or module that cvs
 * could take for something else; nothing is left then.
 */
export async function checkoutCvs(
  source: CvsModule,
  destination: string,
  options: CvsOptions,
): Promise<void> {
  checkSource(source);
  requireProgram('cvs');
  if (existsSync(destination)) throw hostError('it exists already', undefined, { file: destination });
  const parent = dirname(destination);
  let folder: string;
  try {
    folder = mkdtempSync(join(parent, `.${basename(destination)}.`));
  } catch (cause) {
    throw readableHostError(cause, parent);
  }
  try {
    await exportModule(source, folder, options);
    renameSync(join(folder, 'module'), destination);
  } catch (cause) {
    throw cause instanceof DiagnosticError ? cause : readableHostError(cause, destination);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkSource({ root, module, date, tag }: CvsModule): void {
  const fault = (message: string, hint: string): DiagnosticError =>
    new DiagnosticError({ kind: 'recipe', message, hint });
  if (!local.test(root) && !remote.some((form) => form.test(root))) {
    throw fault(
      `"${root}" is not a CVS root that can be used`,
      'Write /path, :local:/path, :pserver:user@host:/path or :ext:user@host:/path.',
    );
  }
  const isPath = module.split('/').every((part) => /^[\w.+][\w.+ -]*$/.test(part) && !/^\.+$/.test(part));
  if (!isPath)
    throw fault(`"${module}" is not the name of a CVS module`, 'It is a name such as cluster-tools.');
  if (tag !== undefined && date !== undefined)
    throw fault('a CVS source has a tag and a date', 'Give one of them.');
  if (tag !== undefined && !tagForm.test(tag))
    throw fault(
      `"${tag}" is not a CVS tag`,
      'A tag is letters, digits, "-" and "_", and begins with a letter.',
    );
  if (date !== undefined && !dateForm.test(date))
    throw fault(`"${date}" is not a date for CVS`, 'Write it as 2002-08-22 or 2002-08-22 07:06:40 UTC.');
}

async function exportModule(source: CvsModule, folder: string, options: CvsOptions): Promise<void> {
  const { root, module, date, tag } = source;
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const output = new OutputLog(join(folder, 'log'), () => {});
  const revision = tag === undefined ? ['-D', date ?? 'now'] : ['-r', tag];
  // -f: no .cvsrc. export -n: no program that the repository names is run; it also wants a revision, and makes no
  // CVS folders.
  const general = ['-f', '-Q', '-z3', ...readOnly(root), '-T', temporary, '-d', root];
  let end: ProgramEnd;
  try {
    end = await runProgram(['cvs', ...general, 'export', '-n', '-d', 'module', ...revision, module], {
      cwd: folder,
      environment: environment(temporary),
      timeLimit: options.timeLimit,
      signal: options.signal,
      onOutput: (chunk) => output.write(chunk),
    });
  } finally {
    output.close();
  }
  if (end.kind !== 'exit' || end.code !== 0) throw failure(source, end, options, output.lastLines);
  if (hasFiles(join(folder, 'module'))) return;
  throw hostError(
    `the CVS module ${module} has no files ${tag === undefined ? 'at that date' : `under ${tag}`}`,
  );
}

/** Whether there are files in a folder or below it: at a date before all of them, cvs makes folders only. */
function hasFiles(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());
}

/** Someone who may not write in a repository can't lock it either, and need not. */
function readOnly(root: string): string[] {
  const folder = local.exec(root)?.[1];
  if (folder === undefined) return [];
  try {
    accessSync(folder, constants.W_OK);
    return [];
  } catch {
    return ['-R'];
  }
}

/** What ssh and pserver need of the user's environment; nothing that steers cvs. */
function environment(temporary: string): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const key of ['HOME', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK']) {
    const value = process.env[key];
    if (value !== undefined) kept[key] = value;
  }
  const fixed = {
    PATH: PROGRAM_FOLDERS.join(':'),
    LC_ALL: 'C',
    TZ: 'UTC',
    CVS_RSH: 'ssh',
    TMPDIR: temporary,
  };
  return { ...kept, ...fixed };
}

function failure(
  { root, module }: CvsModule,
  end: ProgramEnd,
  { timeLimit }: CvsOptions,
  excerpt: readonly string[],
): DiagnosticError {
  const how =
    end.kind === 'time limit'
      ? `did not end within ${timeLimit} seconds`
      : end.kind === 'exit'
        ? `failed with exit code ${end.code}`
        : `was killed by ${end.signal}`;
  return new DiagnosticError({
    kind: 'host',
    message: `cvs export of ${module} from ${withoutPassword(root)} ${how}`,
    excerpt: excerpt.map(withoutPassword),
    hint: 'Check the root, the module, the tag or date, and the network.',
  });
}

/** A root may have a password in it, which is nobody's business. */
function withoutPassword(text: string): string {
  return text.replace(/(:pserver:[^:@\s]+):[^@\s]*@/g, '$1:…@');
}
