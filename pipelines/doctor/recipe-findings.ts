import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { HostRootOptions } from '../host/host-root-stage.js';
import { mountsBelow } from '../host/mounts.js';
import { poolNames } from '../host/undo.js';
import type { Base, Recipe } from '../recipe/recipe.js';
import { type Finding, missing, ok } from './finding.js';
import { filesystemFinding, loopFinding, rootFinding } from './host-facts.js';
import { FILESYSTEM_PROGRAMS, HOWTO_PROGRAMS, programFinding, type Wanted } from './programs.js';

/**
 * What a build of a recipe needs of this host, and whether it is here: asked by `doctor` and, before anything is
 * fetched or run, by `build`. Tools of a native build whose results the cache may have are not asked for: their stages
 * do it when they run.
 */
export async function recipeFindings(recipe: Recipe, host: HostRootOptions | undefined): Promise<Finding[]> {
  if (host === undefined) return [];
  const { mountPoint, tools } = host;
  const { filesystem } = recipe;
  const type = { opengfs: 'gfs', gfs2: 'gfs2', ext2: 'ext2' }[filesystem.type];
  const programs: Wanted[] = [
    ...HOWTO_PROGRAMS,
    ...(FILESYSTEM_PROGRAMS[filesystem.type] ?? []),
    ...decoders(recipe.base),
    ...(recipe.clusterTools === undefined
      ? []
      : [{ program: 'make', package: 'make', versionArguments: ['--version'] }]),
  ];
  const findings: Finding[] = [rootFinding(), await loopFinding()];
  for (const wanted of programs) findings.push(await programFinding(wanted, tools));
  // A mount program of the user's own may stand in for a kernel that lacks the filesystem.
  if (tools === undefined || !existsSync(resolve(tools, 'mount'))) findings.push(filesystemFinding(type));
  findings.push(mountPointFinding(mountPoint));
  if (filesystem.type === 'opengfs') findings.push(poolFinding());
  return findings;
}

const PACKAGES: readonly (readonly [ending: RegExp, program: string, name: string])[] = [
  [/\.t?bz2$/i, 'bunzip2', 'bzip2'],
  [/\.t?gz$/i, 'gunzip', 'gzip'],
  [/\.t?xz$/i, 'unxz', 'xz-utils'],
  [/\.t?zst$/i, 'unzstd', 'zstd'],
];

function decoders(base: Base): Wanted[] {
  if (!('source' in base)) return [];
  const found = PACKAGES.find(([ending]) => ending.test(base.source.location));
  return found === undefined ? [] : [{ program: found[1], package: found[2] }];
}

/** The mount point is an empty folder with nothing mounted there. */
function mountPointFinding(path: string): Finding {
  const hint = 'Choose another place with --mount-point.';
  try {
    if (mountsBelow(path).length > 0)
      return missing('mounts', `something is mounted at or below ${path}`, hint);
    if (readdirSync(path).length > 0) return missing('mounts', `${path} is not empty`, hint);
  } catch {
    return missing('mounts', `${path} is no folder that can be read`, `Make it, or: ${hint}`);
  }
  const beside = ['.ext2', '.old'].map((ending) => path + ending).find((each) => existsSync(each));
  if (beside !== undefined) return missing('mounts', `${beside} is there already`, `Remove it, or: ${hint}`);
  return ok('mounts', `${path} is free`);
}

function poolFinding(): Finding {
  const names = poolNames();
  if (names.length === 0) return ok('pools', 'no pools are assembled');
  return missing(
    'pools',
    `this host has pools already: ${names.join(', ')}`,
    '"passemble -r all" at the end of a build would remove them too: remove them first.',
  );
}
