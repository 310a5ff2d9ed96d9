import type { Pipeline } from '../pipeline.js';
import type { Recipe } from '../recipe/recipe.js';
import type { Finding } from './finding.js';
import { filesystemFinding, hostFindings, howtoFindings, loopFinding, rootFinding } from './host-facts.js';
import { FILESYSTEM_PROGRAMS, HOWTO_PROGRAMS, programFinding, type Wanted } from './programs.js';
import { sandboxFinding } from './sandbox-finding.js';
import type { Places } from './space.js';
import { stageFindings } from './stage-findings.js';

/** What the native backend and the commands use besides Node.js. */
const NATIVE_PROGRAMS: readonly Wanted[] = [
  {
    program: 'bash',
    package: 'bash',
    versionArguments: ['--version'],
    otherwise: 'no program can be run for a stage or a node',
  },
  {
    program: 'make',
    package: 'make',
    versionArguments: ['--version'],
    otherwise: 'no cluster tools are installed',
  },
  {
    program: 'fakeroot',
    package: 'fakeroot',
    versionArguments: ['--version'],
    otherwise: 'make rules see less of the base',
  },
  {
    program: 'bwrap',
    package: 'bubblewrap',
    versionArguments: ['--version'],
    otherwise: 'make rules run without a sandbox',
  },
  {
    program: 'xz',
    package: 'xz-utils',
    versionArguments: ['--version'],
    otherwise: '.xz files are not read',
  },
  { program: 'zstd', package: 'zstd', versionArguments: ['--version'], otherwise: '.zst files are not read' },
  {
    program: 'cvs',
    package: 'cvs',
    versionArguments: ['--version'],
    otherwise: 'nothing is checked out of CVS',
  },
  {
    program: 'mmdebstrap',
    package: 'mmdebstrap',
    versionArguments: ['--version'],
    otherwise: 'no Debian base is made',
  },
  {
    program: 'mkfs.gfs2',
    package: 'gfs2-utils',
    versionArguments: ['-V'],
    otherwise: 'no GFS2 root is made',
  },
  {
    program: 'linux.uml',
    package: 'user-mode-linux',
    versionArguments: ['--version'],
    otherwise: 'clusters need a kernel of the recipe',
  },
  { program: 'uml_switch', package: 'uml-utilities', otherwise: 'no cluster is started' },
  {
    program: 'flock',
    package: 'util-linux',
    versionArguments: ['--version'],
    otherwise: 'no cluster is started',
  },
];

/** The HOWTO's addresses of node 1 and of the lock server. */
const HOWTO_ADDRESSES = ['192.168.50.1', '192.168.50.101'];

/** What this host has and lacks, whatever is to be built. */
export async function generalFindings(cacheFolder: string): Promise<Finding[]> {
  const findings = await settingFindings(cacheFolder);
  for (const wanted of NATIVE_PROGRAMS) findings.push(await programFinding(wanted));
  return findings;
}

/** The same without programs. */
export async function settingFindings(cacheFolder: string): Promise<Finding[]> {
  return [...hostFindings(cacheFolder), await sandboxFinding()];
}

/** What the host backend needs of this host; nothing is `missing` that no recipe asked for. */
export async function hostBackendFindings(tools: string | undefined): Promise<Finding[]> {
  const findings = [rootFinding(), await loopFinding(), ...['ext2', 'gfs2', 'gfs'].map(filesystemFinding)];
  for (const wanted of [...HOWTO_PROGRAMS, ...Object.values(FILESYSTEM_PROGRAMS).flat()])
    findings.push(await programFinding(wanted, tools));
  return [...findings.map(asWarning), ...howtoFindings(HOWTO_ADDRESSES)];
}

function asWarning(finding: Finding): Finding {
  return finding.state === 'missing' ? { ...finding, state: 'warning' } : finding;
}

/** What a recipe's stages need, and for the backend host what the cluster will want of this host besides. */
export async function neededFindings(
  recipe: Recipe,
  { stages }: Pick<Pipeline, 'stages'>,
  places: Places,
  isHostBackend: boolean,
): Promise<Finding[]> {
  const findings = await stageFindings(stages, places);
  if (!isHostBackend || recipe.filesystem.type !== 'opengfs') return findings;
  const [lockServer] = recipe.cluster.lockServer?.split(':') ?? [];
  const addresses = [recipe.cluster.addresses[0] ?? '', ...(lockServer === undefined ? [] : [lockServer])];
  return [...findings, ...howtoFindings(addresses)];
}
