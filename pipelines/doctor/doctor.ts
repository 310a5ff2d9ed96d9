import type { HostRootOptions } from '../host/host-root-stage.js';
import type { Recipe } from '../recipe/recipe.js';
import { recipePipeline } from '../recipe-pipeline.js';
import type { Finding } from './finding.js';
import { filesystemFinding, hostFindings, howtoFindings, loopFinding } from './host-facts.js';
import { FILESYSTEM_PROGRAMS, HOWTO_PROGRAMS, programFinding, type Wanted } from './programs.js';
import { recipeFindings } from './recipe-findings.js';

/** What the native backend and the commands use besides Node.js. */
const NATIVE_PROGRAMS: readonly Wanted[] = [
  { program: 'bash', package: 'bash', versionArguments: ['--version'] },
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
    program: 'lbzip2',
    package: 'lbzip2',
    versionArguments: ['--version'],
    otherwise: 'our own decoder takes about twice as long',
  },
  {
    program: 'xz',
    package: 'xz-utils',
    versionArguments: ['--version'],
    otherwise: '.xz files are not read',
  },
  { program: 'zstd', package: 'zstd', versionArguments: ['--version'], otherwise: '.zst files are not read' },
  { program: 'cvs', package: 'cvs', otherwise: 'nothing is checked out of CVS' },
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
  { program: 'linux.uml', package: 'user-mode-linux', otherwise: 'clusters need a kernel of the recipe' },
];

/** The HOWTO's addresses of node 1 and of the lock server. */
const HOWTO_ADDRESSES = ['192.168.50.1', '192.168.50.101'];

/** What this host has and lacks, whatever is to be built. */
export async function generalFindings(folder: string): Promise<Finding[]> {
  const findings = await hostFindings(folder);
  for (const wanted of NATIVE_PROGRAMS) findings.push(await programFinding(wanted));
  return findings;
}

/** What the host backend needs of this host; nothing is `missing` that no recipe asked for. */
export async function hostBackendFindings(tools: string | undefined): Promise<Finding[]> {
  const findings = [await loopFinding(), ...['ext2', 'gfs2', 'gfs'].map(filesystemFinding)];
  for (const wanted of [...HOWTO_PROGRAMS, ...Object.values(FILESYSTEM_PROGRAMS).flat()])
    findings.push(await programFinding(wanted, tools));
  return [...findings.map(asWarning), ...howtoFindings(HOWTO_ADDRESSES)];
}

function asWarning(finding: Finding): Finding {
  return finding.state === 'missing' ? { ...finding, state: 'warning' } : finding;
}

/** What a recipe needs, with the programs of its native stages. */
export async function neededFindings(recipe: Recipe, host: HostRootOptions | undefined): Promise<Finding[]> {
  const findings = await recipeFindings(recipe, host);
  if (host !== undefined) {
    const [lockServer] = recipe.cluster.lockServer?.split(':') ?? [];
    const addresses = [recipe.cluster.addresses[0] ?? '', ...(lockServer === undefined ? [] : [lockServer])];
    return recipe.filesystem.type === 'opengfs' ? [...findings, ...howtoFindings(addresses)] : findings;
  }
  const { stages } = recipePipeline(recipe, { offline: true, ownSeed: () => '0'.repeat(64) });
  const tools = new Map(stages.flatMap((stage) => stage.tools.map((tool) => [tool.program, tool])));
  for (const { program, package: name, versionArguments, optional } of tools.values()) {
    const otherwise = optional === true ? { otherwise: 'the build can do without it' } : {};
    findings.push(await programFinding({ program, package: name, versionArguments, ...otherwise }));
  }
  return findings;
}
