import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StageTool } from '../engine/stage.js';
import { toolVersion } from '../engine/tool-version.js';
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

/** Whether a program is here, in a folder of the user's or where stages look, and its version. */
export async function programFinding(wanted: Wanted, tools?: string): Promise<Finding> {
  const { program, otherwise } = wanted;
  const own = tools === undefined ? undefined : join(tools, program);
  if (own !== undefined && existsSync(own)) return ok('tools', `${program}: ${own}`);
  const path = findProgram(program);
  if (path === undefined) {
    const hint = wanted.hint ?? `Install the Debian package ${wanted.package}.`;
    const message = `the program ${program} is missing`;
    return otherwise === undefined
      ? missing('tools', message, hint)
      : warning('tools', `${message}: ${otherwise}`, hint);
  }
  if (wanted.versionArguments === undefined) return ok('tools', `${program}: ${path}`);
  const tool: StageTool = {
    program,
    package: wanted.package ?? '',
    versionArguments: wanted.versionArguments,
  };
  return ok('tools', `${program}: ${(await toolVersion(tool)) ?? path}`);
}

const OPENGFS = 'Build and install the OpenGFS tools (HOWTO 4.5).';

/** What HOWTO section 5 runs. */
export const HOWTO_PROGRAMS: readonly Wanted[] = [
  ...['dd', 'cp', 'chmod', 'mkdir', 'mknod', 'touch', 'stat', 'realpath'].map((program) => ({
    program,
    package: 'coreutils',
  })),
  { program: 'sh', package: 'dash' },
  { program: 'find', package: 'findutils' },
  { program: 'sed', package: 'sed' },
  { program: 'tar', package: 'tar' },
  { program: 'losetup', package: 'mount', versionArguments: ['--version'] },
  { program: 'mount', package: 'mount', versionArguments: ['--version'] },
  { program: 'umount', package: 'mount' },
];

export const FILESYSTEM_PROGRAMS: Readonly<Record<string, readonly Wanted[]>> = {
  opengfs: ['ptool', 'passemble', 'gfsconf', 'mkfs_gfs'].map((program) => ({ program, hint: OPENGFS })),
  gfs2: [
    { program: 'mkfs.gfs2', package: 'gfs2-utils', versionArguments: ['-V'] },
    { program: 'fsck.gfs2', package: 'gfs2-utils' },
  ],
  ext2: [
    { program: 'mke2fs', package: 'e2fsprogs', versionArguments: ['-V'] },
    { program: 'e2fsck', package: 'e2fsprogs' },
  ],
};
