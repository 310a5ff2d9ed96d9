import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../images/bytes/host-error.js';
import { PROGRAM_FOLDERS } from '../program-folders.js';
import type { StageTool } from './stage.js';

const execute = promisify(execFile);
const probes = new Map<string, Promise<Probe>>();

/** What became of asking a program for its version. */
type Probe =
  | { readonly state: 'there'; readonly version: string }
  | { readonly state: 'missing' }
  /** There is a file, but it does not run: no right to, no library, another processor. */
  | { readonly state: 'broken'; readonly reason: string };

/** What a program needs to be asked. */
type Asked = Pick<StageTool, 'program' | 'versionArguments'>;

/** The first line that a program prints about its version; undefined when it is not there or does not run. */
export async function toolVersion(tool: Asked): Promise<string | undefined> {
  const probe = await probeTool(tool);
  return probe.state === 'there' ? probe.version : undefined;
}

/** The same, with what is wrong. Asked once a process. */
export function probeTool(tool: Asked): Promise<Probe> {
  let probe = probes.get(tool.program);
  if (probe === undefined) {
    probe = ask(tool);
    probes.set(tool.program, probe);
  }
  return probe;
}

/** What a shell and the dynamic linker exit with for what can't be run. */
const CAN_NOT_RUN: readonly unknown[] = [126, 127];

async function ask({ program, versionArguments }: Asked): Promise<Probe> {
  try {
    const running = execute(program, [...versionArguments], {
      timeout: 10_000,
      // Where stages find them, whatever the user's own PATH.
      env: { PATH: PROGRAM_FOLDERS.join(':'), LC_ALL: 'C' },
    });
    // One that does not know the arguments may read from there, or end before it does.
    running.child.stdin?.on('error', () => {});
    running.child.stdin?.end();
    const { stdout, stderr } = await running;
    return { state: 'there', version: firstLine(stdout) ?? firstLine(stderr) ?? 'present' };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { state: 'missing' };
    return stateAfter(error as ExecutionError);
  }
}

interface ExecutionError {
  /** Of a system call, or the exit code. */
  readonly code?: string | number | null;
  readonly signal?: string | null;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** A program that prints its version and fails is there all the same. */
function stateAfter({ code, signal, killed, stdout = '', stderr = '' }: ExecutionError): Probe {
  const said = firstLine(stdout) ?? firstLine(stderr);
  if (typeof code === 'string') return { state: 'broken', reason: code };
  if (CAN_NOT_RUN.includes(code)) return { state: 'broken', reason: said ?? `exit code ${code}` };
  if (typeof signal === 'string' && killed !== true) return { state: 'broken', reason: signal };
  return { state: 'there', version: said ?? 'present' };
}

function firstLine(text: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200);
}
