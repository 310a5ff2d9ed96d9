import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built command. */
export const SSI_IMAGE = fileURLToPath(new URL('../../dist/scripts/ssi-image.js', import.meta.url));

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the built command as a user would, and returns what it printed, whatever its exit code. */
export function ssiImage(args: readonly string[], options: CommandOptions = {}): CommandResult {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [SSI_IMAGE, ...args], {
    encoding: 'utf8',
    maxBuffer: 512 * 1024 * 1024,
    ...options,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Runs the command and returns its standard output. Throws with its messages when it does not exit with 0. */
export function ssiImageOutput(args: readonly string[], options: CommandOptions = {}): string {
  const { status, stdout, stderr } = ssiImage(args, options);
  if (status !== 0) throw new Error(`ssi-image ${args.join(' ')} exited with ${status}:\n${stderr}${stdout}`);
  return stdout;
}
