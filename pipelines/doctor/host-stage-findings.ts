import { existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DiagnosticError } from '../../images/diagnostic.js';
import { decoderOf } from '../host/decoders.js';
import { hostStateFolder } from '../host/host-lock.js';
import type { HostRootOptions } from '../host/host-root-stage.js';
import { leftJournals } from '../host/journal.js';
import { isLoopInUse } from '../host/loop-devices.js';
import type { Made } from '../host/made.js';
import { mountsBelow } from '../host/mounts.js';
import { poolNames } from '../host/undo.js';
import { type Base, isOpenGfsRecipe, type OpenGfsRecipe, type Recipe } from '../recipe/recipe.js';
import { type Finding, missing, ok, warning } from './finding.js';
import { filesystemFinding, loopFinding, rootFinding } from './host-facts.js';
import { FILESYSTEM_PROGRAMS, HOWTO_PROGRAMS, programFinding, type Wanted } from './programs.js';

/**
 * What a build of a recipe with the tools of this host needs besides programs of its other stages. What a killed build
 * left, or one that runs now has, is no hindrance: the next build takes it away, or waits.
 */
export async function hostStageFindings(recipe: Recipe, host: HostRootOptions): Promise<Finding[]> {
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
  const own = standingNow();
  findings.push(mountPointFinding(mountPoint, own));
  if (isOpenGfsRecipe(recipe)) findings.push(poolFinding(own), ...(await deviceFindings(recipe, own)));
  return findings;
}

/** What journals of host builds say stands here. */
function standingNow(): readonly Made[] {
  try {
    return leftJournals(hostStateFolder()).flatMap(({ standing }) => standing);
  } catch (error) {
    // They are root's.
    if (error instanceof DiagnosticError) return [];
    throw error;
  }
}

const OWN_HINT = 'A build waits for the one that runs, and takes away what a killed one left.';

/** The loop devices that the recipe names for its pools. */
async function deviceFindings({ pools }: OpenGfsRecipe, own: readonly Made[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  const hint = 'Name another one for the pool in the recipe (pools.device).';
  for (const { device } of pools) {
    if (statSync(device, { throwIfNoEntry: false })?.isBlockDevice() !== true)
      findings.push(missing('loop devices', `there is no loop device ${device}`, hint));
    else if (!(await isLoopInUse(device))) findings.push(ok('loop devices', `${device} is not in use`));
    else if (own.some((made) => made.kind === 'loop' && made.device === device))
      findings.push(warning('loop devices', `${device} is in use by a host build`, OWN_HINT));
    else findings.push(missing('loop devices', `${device} is in use`, `Release it, or: ${hint}`));
  }
  return findings;
}

function decoders(base: Base): Wanted[] {
  const decoder = 'source' in base ? decoderOf(base.source.location) : undefined;
  return decoder === undefined ? [] : [decoder];
}

/** The mount point is an empty folder with nothing mounted there. */
function mountPointFinding(path: string, own: readonly Made[]): Finding {
  const hint = 'Choose another place with --mount-point.';
  const isOwn = (place: string): boolean =>
    own.some(
      (made) =>
        (made.kind === 'mount' && made.target === place) || (made.kind === 'folder' && made.path === place),
    );
  try {
    const mounted = mountsBelow(path);
    if (mounted.some(({ target }) => !isOwn(target)))
      return missing('mounts', `something is mounted at or below ${path}`, hint);
    if (mounted.length > 0)
      return warning('mounts', `a host build has mounted something at ${path}`, OWN_HINT);
    if (readdirSync(path).length > 0) return missing('mounts', `${path} is not empty`, hint);
  } catch {
    return missing('mounts', `${path} is no folder that can be read`, `Make it, or: ${hint}`);
  }
  const beside = ['.ext2', '.old'].map((ending) => path + ending).filter((each) => existsSync(each));
  const foreign = beside.find((place) => !isOwn(place));
  if (foreign !== undefined)
    return missing('mounts', `${foreign} is there already`, `Remove it, or: ${hint}`);
  if (beside.length > 0) return warning('mounts', `a host build has made ${beside.join(' and ')}`, OWN_HINT);
  return ok('mounts', `${path} is free`);
}

function poolFinding(own: readonly Made[]): Finding {
  const names = poolNames();
  if (names.length === 0) return ok('pools', 'no pools are assembled');
  const known = own.flatMap((made) => (made.kind === 'pools' ? made.names : []));
  if (names.every((name) => known.includes(name)))
    return warning('pools', `a host build has pools: ${names.join(', ')}`, OWN_HINT);
  return missing(
    'pools',
    `this host has pools already: ${names.join(', ')}`,
    '"passemble -r all" at the end of a build would remove them too: remove them first.',
  );
}
