import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { probeTool } from '../engine/tool-version.js';
import { findProgram } from '../program-folders.js';
import { type Finding, missing, ok, warning } from './finding.js';

/** A program, and what brings it. */
export interface Wanted {
  readonly program: string;
  /** Debian package; without one the HOWTO says where it comes from. */
  readonly package?: string;
  readonly hint?: string;
  readonly versionArguments?: readonly string[];
  /** What is done without it. */
  readonly otherwise?: string;
}

/**
 * Whether a program is here, in a folder of the user's or where stages look, and its version: where it can be asked
 * for that, it is run. `path` is where it was found already.
 */
export async function programFinding(
  wanted: Wanted & { readonly path?: string | undefined },
  tools?: string,
): Promise<Finding> {
  const { program, otherwise } = wanted;
  const lack = (message: string): Finding => {
    const hint = wanted.hint ?? `Install it (Debian package ${wanted.package}).`;
    return otherwise === undefined
      ? missing('tools', message, hint)
      : warning('tools', `${message}: ${otherwise}`, hint);
  };
  const own = tools === undefined ? undefined : join(tools, program);
  const path = own !== undefined && existsSync(own) ? own : (findProgram(program) ?? wanted.path);
  if (path === undefined) return lack(`the program ${program} is missing`);
  if (!mayRun(path)) return lack(`the program ${program} is missing: this user may not run ${path}`);
  if (path === own || wanted.versionArguments === undefined) return ok('tools', `${program}: ${path}`);
  const probe = await probeTool({ program, versionArguments: wanted.versionArguments });
  if (probe.state === 'broken') return lack(`the program ${program} does not run: ${probe.reason}`);
  return ok('tools', `${program}: ${probe.state === 'there' ? probe.version : path}`);
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const OPENGFS = 'Build and install the OpenGFS tools (HOWTO 4.5).';

/** What HOWTO section 5 runs. */
export const HOWTO_PROGRAMS: readonly Wanted[] = [
  ...['dd', 'cp', 'chmod', 'mkdir', 'mknod', 'touch', 'stat', 'realpath'].map((program) => ({
    program,
    package: 'coreutils',
    versionArguments: ['--version'],
  })),
  { program: 'sh', package: 'dash' },
  { program: 'find', package: 'findutils', versionArguments: ['--version'] },
  { program: 'sed', package: 'sed', versionArguments: ['--version'] },
  { program: 'tar', package: 'tar', versionArguments: ['--version'] },
  { program: 'losetup', package: 'mount', versionArguments: ['--version'] },
  { program: 'mount', package: 'mount', versionArguments: ['--version'] },
  { program: 'umount', package: 'mount', versionArguments: ['--version'] },
];

export const FILESYSTEM_PROGRAMS: Readonly<Record<string, readonly Wanted[]>> = {
  opengfs: ['ptool', 'passemble', 'gfsconf', 'mkfs_gfs'].map((program) => ({ program, hint: OPENGFS })),
  gfs2: [
    { program: 'mkfs.gfs2', package: 'gfs2-utils', versionArguments: ['-V'] },
    { program: 'fsck.gfs2', package: 'gfs2-utils', versionArguments: ['-V'] },
  ],
  ext2: [
    { program: 'mke2fs', package: 'e2fsprogs', versionArguments: ['-V'] },
    { program: 'e2fsck', package: 'e2fsprogs', versionArguments: ['-V'] },
  ],
};
