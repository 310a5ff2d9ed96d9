import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readableHostError } from '../../images/bytes/host-error.js';
import { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { FileNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { requireProgram } from '../program-folders.js';
import { collectOverlay, needsLine } from './collect.js';
import { KILL_PROCESSES_OF_HOME, killProcessesOfHome } from './leftover-processes.js';
import { MakeComplaints } from './make-complaints.js';
import { openDirectories } from './open-directories.js';
import { OutputLog } from './output-log.js';
import { type Ownership, viewOf, writeFakerootState } from './ownership.js';
import { type ProgramEnd, runProgram } from './run-program.js';
import { chooseSandbox, type Sandbox, type SandboxFolders, type SandboxKind } from './sandbox.js';
import { checkShared, SharingEnded } from './shared-placeholders.js';
import { prepareSource } from './source.js';
import { filesWithContents } from './staging-contents.js';
import { layOut, type StagingRoot, type StagingSummary } from './staging-root.js';
import { programVersions } from './tool-versions.js';

export interface InstallRequest {
  /** The root that the tools are installed into. It stays as it is. */
  readonly base: Tree;
  /** The sources: a tree (of the tar), or a directory on the host, which is copied. */
  readonly source: Tree | string;
  /** Make rule, such as `install_ssi_redhat`. */
  readonly rule: string;
  /** Further files of the base that the rule must see with their contents: absolute paths. */
  readonly needs: readonly string[];
  /**
   * A folder on the host with no `source`, `root`, `state`, `scratch` and `make.log` in it. On success the overlay's
   * contents stay there; on failure whatever was made does, for the caller to keep or remove.
   */
  readonly work: string;
  /** The clock of the build, in seconds since 1970. */
  readonly epoch: number;
  /** Seconds that make may take. */
  readonly timeLimit: number;
  readonly signal?: AbortSignal;
  readonly pace?: Pace;
  /** Gets every line that make prints, safe for a terminal. */
  readonly onOutput?: (line: string) => void;
  /** Commands that make may run at once; by default 1. More is for Makefiles that name all that depends on each other. */
  readonly jobs?: number;
  /** Programs to do without, as if the host lacked them: `bwrap`, `unshare`, `fakeroot`. */
  readonly without?: readonly string[];
}

/** Something that the user should know though make succeeded. */
export interface InstallWarning {
  readonly message: string;
  readonly hint?: string;
}

/** What is worth keeping in a record of the build. */
export type InstallFacts = {
  readonly sandbox: SandboxKind;
  readonly ownership: Ownership;
  /** Version lines of the programs that took part, by name. */
  readonly tools: Readonly<Record<string, string>>;
  readonly laidOut: StagingSummary;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
};

export interface Installed {
  /** What to lay over the base. Contents are files below `work`, or lie where the base's do. */
  readonly overlay: Tree;
  /** Path of make's output, below `work`. */
  readonly log: string;
  readonly warnings: readonly InstallWarning[];
  readonly facts: InstallFacts;
}

/** Longer than a tick of any filesystem's clock, in milliseconds. */
const CLOCK_TICK = 20;

/**
 * Installs the cluster tools (HOWTO 5.4): runs `make RULE UML_ROOT=…` in a sandbox without network, on a staging
 * root laid out from the base, and returns what it did to that as an overlay. The result depends on the base, the
 * sources and the tools alone: not on who runs this, where, when, or in which locale. Throws a DiagnosticError when
 * a program is missing, the rule fails or takes too long, or on an abort; no process is left then.
 */
export async function installClusterTools(request: InstallRequest): Promise<Installed> {
  checkRule(request.rule);
  requireProgram('make');
  const folders = makeFolders(request.work);
  try {
    const installed = await install(request, folders);
    for (const folder of [folders.source, folders.state, folders.scratch]) remove(folder);
    return installed;
  } finally {
    openDirectories(request.work);
  }
}

/**
 * Most rules do nothing to the files that are laid out in common. After one that does, all of it is done again, with
 * each of them laid out by itself.
 */
async function install(request: InstallRequest, folders: SandboxFolders): Promise<Installed> {
  const pace = request.pace ?? new Pace(request.signal);
  const contents = await filesWithContents(request.base, request.needs, pace);
  try {
    return await attempt(request, folders, contents, true, pace);
  } catch (error) {
    if (!(error instanceof SharingEnded)) throw error;
  }
  for (const path of [...Object.values(folders), logOf(request)]) remove(path);
  return await attempt(request, makeFolders(request.work), contents, false, pace);
}

/** Throws SharingEnded when it can't be told what the rule did to files laid out in common (`isSharing`). */
async function attempt(
  request: InstallRequest,
  folders: SandboxFolders,
  contents: ReadonlySet<FileNode>,
  isSharing: boolean,
  pace: Pace,
): Promise<Installed> {
  const { base, epoch, signal, without = [] } = request;
  const { rules } = await prepareSource(request.source, folders.source, epoch, pace);
  const sandbox = await chooseSandbox({ folders, base, epoch, without, signal });
  const { ownership } = sandbox;
  const staging = await layOut(base, folders.root, contents, ownership, isSharing, pace);
  writeFakerootState(join(folders.state, 'before'), staging.fakerootLines);
  // What the rule changes must have another time than what was laid out.
  await wait(CLOCK_TICK);
  const startNs = clockOf(folders);
  const complaints = new MakeComplaints();
  const log = logOf(request);
  await runMake(request, folders, sandbox, { staging, complaints, log, rules });
  const view = viewOf(ownership, join(folders.state, 'after'));
  const collected = await collectOverlay(staging, view, { startNs, epoch }, pace);
  const { overlay, added, changed, removed } = collected;
  const warnings = warningsOf(sandbox, complaints.withheld(staging, sandbox.places.root));
  const tools = await programVersions(sandbox);
  const laidOut = staging.summary;
  const facts = { sandbox: sandbox.kind, ownership, tools, laidOut, added, changed, removed };
  return { overlay, log, warnings, facts };
}

function logOf({ work }: InstallRequest): string {
  return join(work, 'make.log');
}

/** The name goes to make as an argument: it must not be an option or a variable. */
function checkRule(rule: string): void {
  if (/^[A-Za-z0-9_.][\w.+/-]*$/.test(rule)) return;
  throw new DiagnosticError({
    kind: 'recipe',
    message: `"${rule}" is not the name of a make rule`,
    hint: 'clusterTools.rule is a name such as install_ssi_redhat.',
  });
}

function makeFolders(work: string): SandboxFolders {
  const folders = {
    source: join(work, 'source'),
    root: join(work, 'root'),
    state: join(work, 'state'),
    scratch: join(work, 'scratch'),
  };
  try {
    for (const folder of [folders.root, folders.state, folders.scratch]) mkdirSync(folder, { mode: 0o755 });
  } catch (cause) {
    throw readableHostError(cause, work);
  }
  return folders;
}

/** The time now by the clock of the filesystem, which lags behind the system's. */
function clockOf(folders: SandboxFolders): bigint {
  const path = join(folders.scratch, 'start');
  try {
    writeFileSync(path, '');
    return lstatSync(path, { bigint: true }).mtimeNs;
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

interface MakeRun {
  readonly staging: StagingRoot;
  readonly complaints: MakeComplaints;
  readonly log: string;
  /** Rules that the Makefile has. */
  readonly rules: readonly string[];
}

const IN_SOURCE = 'cd "$1" && shift && exec "$@"';

async function runMake(
  request: InstallRequest,
  folders: SandboxFolders,
  sandbox: Sandbox,
  run: MakeRun,
): Promise<void> {
  const { places, ownership } = sandbox;
  const { rule, timeLimit, signal, onOutput, jobs = 1 } = request;
  const fakeroot = ownership === 'fakeroot' ? ['fakeroot', '-i', 'before', '-s', 'after', '--'] : [];
  const make = [
    'make',
    ...(jobs > 1 ? [`-j${Math.floor(jobs)}`] : []),
    `UML_ROOT=${places.root}`,
    '--',
    rule,
  ];
  const inSource = ['/bin/sh', '-c', IN_SOURCE, 'sh', places.source];
  const output = new OutputLog(run.log, (line) => {
    run.complaints.add(line);
    onOutput?.(line);
  });
  let end: ProgramEnd;
  try {
    end = await runProgram(sandbox.wrap([...fakeroot, ...inSource, ...make]), {
      cwd: folders.scratch,
      environment: sandbox.environment,
      timeLimit,
      signal,
      onOutput: (chunk) => output.write(chunk),
      ...(sandbox.kind === 'none'
        ? { onEnd: () => killProcessesOfHome(places.home), onDeath: KILL_PROCESSES_OF_HOME }
        : {}),
    });
  } finally {
    output.close();
  }
  if (end.kind === 'exit') checkSharing(run);
  if (end.kind === 'exit' && end.code === 0) return;
  throw failure(request, sandbox, run, end, output.lastLines);
}

/** Throws SharingEnded when what the rule met may be no fault of its own, but that files are laid out in common. */
function checkSharing({ staging: { shared }, complaints }: MakeRun): void {
  if (shared.size > 0 && complaints.isSameFile) throw new SharingEnded();
  checkShared(shared);
}

function failure(
  { rule, timeLimit }: InstallRequest,
  { ownership, places }: Sandbox,
  { staging, complaints, log, rules }: MakeRun,
  end: ProgramEnd,
  excerpt: readonly string[],
): DiagnosticError {
  const hints: string[] = [];
  let message = `make ${rule} ${wayOfEnd(end, timeLimit)}`;
  const isUnknown = excerpt.some((line) => line.includes(`No rule to make target '${rule}'.`));
  if (isUnknown) {
    message = `the Makefile of the cluster tools has no rule ${rule}`;
    hints.push(rules.length === 0 ? 'It has no install_ssi_* rules.' : `It has: ${rules.join(', ')}.`);
  }
  const withheld = complaints.withheld(staging, places.root);
  if (withheld.length > 0) hints.push(withheldSentence(withheld));
  if (ownership !== 'fakeroot' && complaints.isOwnershipRefused)
    hints.push(
      'Without fakeroot this user can make no owners and devices: install it (Debian package fakeroot).',
    );
  if (end.kind === 'time limit')
    hints.push('Give it more time with clusterTools.timeLimit, if it only is slow.');
  hints.push(`Everything it printed is in ${log}.`);
  return new DiagnosticError({ kind: 'host', message, excerpt, hint: hints.join('\n  ') });
}

function wayOfEnd(end: ProgramEnd, timeLimit: number): string {
  if (end.kind === 'time limit') return `did not end within ${timeLimit} seconds`;
  return end.kind === 'exit' ? `failed with exit code ${end.code}` : `was killed by ${end.signal}`;
}

const SHOWN_MAX = 10;

function withheldSentence(paths: readonly string[]): string {
  const more = paths.length > SHOWN_MAX ? ` (and ${paths.length - SHOWN_MAX} more)` : '';
  const line = needsLine(paths.slice(0, SHOWN_MAX));
  return `The rule asked for files of the base that it sees without their contents. Add to the recipe: ${line}${more}`;
}

function warningsOf({ kind, ownership }: Sandbox, withheld: readonly string[]): InstallWarning[] {
  const warnings: InstallWarning[] = [];
  if (kind === 'none') {
    warnings.push({
      message:
        'the make rule ran without a sandbox: it could reach the network and whatever this user may write',
      hint: 'Install bubblewrap (Debian package bubblewrap); inside a container, allow it user namespaces.',
    });
  }
  if (ownership !== 'fakeroot') {
    warnings.push({
      message: 'without fakeroot the make rule found directories, links and the text files of /etc only',
      hint: 'Install it (Debian package fakeroot): rules then can test for, move and remove every file.',
    });
  }
  if (withheld.length > 0) {
    const message = `the make rule asked for the contents of ${withheld.length} files of the base in vain`;
    warnings.push({ message, hint: withheldSentence(withheld) });
  }
  return warnings;
}

function remove(folder: string): void {
  openDirectories(folder);
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (cause) {
    throw readableHostError(cause, folder);
  }
}
