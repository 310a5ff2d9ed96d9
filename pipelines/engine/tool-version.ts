import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../images/bytes/host-error.js';
import { PROGRAM_FOLDERS } from '../program-folders.js';
import type { StageTool } from './stage.js';

const execute = promisify(execFile);
const versions = new Map<string, Promise<string | undefined>>();

/** The first line that a program prints about its version; undefined when it is not there. Asked once a process. */
export function toolVersion(tool: StageTool): Promise<string | undefined> {
  let version = versions.get(tool.program);
  if (version === undefined) {
    version = ask(tool);
    versions.set(tool.program, version);
  }
  return version;
}

async function ask({ program, versionArguments }: StageTool): Promise<string | undefined> {
  try {
    const running = execute(program, [...versionArguments], {
      timeout: 10_000,
      // Where stages find them, whatever the user's own PATH.
      env: { PATH: PROGRAM_FOLDERS.join(':'), LC_ALL: 'C' },
    });
    // One that does not know the arguments may read from there.
    running.child.stdin?.end();
    const { stdout, stderr } = await running;
    return firstLine(stdout) ?? firstLine(stderr) ?? 'present';
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    // A program that prints its version and fails is there all the same.
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return firstLine(stdout ?? '') ?? firstLine(stderr ?? '') ?? 'present';
  }
}

function firstLine(text: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200);
}
