import { copyFileSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hostError } from '../../images/diagnostic.js';
import { extractTree } from '../../images/tree/extract.js';
import type { TreeNode } from '../../images/tree/node.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { ReportLine } from '../configure/report.js';
import type { Stage, StageContext, StageInput, StageTool } from '../engine/stage.js';
import type { Recipe } from '../recipe/recipe.js';
import { IDENTITY_LOCATION, nodeOf } from '../stages/configure.js';
import { editRoot } from './edit-root.js';
import { hostStateFolder, lockHost } from './host-lock.js';
import { type HowtoOptions, type HowtoSteps, howtoSteps } from './howto-steps.js';
import { Journal } from './journal.js';
import { runSteps } from './run-steps.js';

export interface HostRootOptions extends HowtoOptions {
  /** A folder of programs that goes before the usual ones. */
  readonly tools?: string;
}

export interface HostRootInputs {
  /** What the recipe names, by the names in the steps, and the configuration files. */
  readonly inputs: Readonly<Record<string, StageInput>>;
  /** Names of the configuration files among them. */
  readonly configurations: readonly string[];
  /** What the recipe's files come from, by location. */
  readonly files: ReadonlyMap<string, StageInput>;
  readonly sshIdentity?: StageInput;
}

/** Least seconds for a step: copying a large root takes its time. */
const STEP_SECONDS = 3600;

/** The programs whose versions decide what comes out. */
const FORMATTERS: Readonly<Record<Recipe['filesystem']['type'], readonly StageTool[]>> = {
  // The tools of 2002 print no version.
  opengfs: [],
  gfs2: [{ program: 'mkfs.gfs2', package: 'gfs2-utils', versionArguments: ['-V'] }],
  ext2: [{ program: 'mke2fs', package: 'e2fsprogs', versionArguments: ['-V'] }],
};

/** HOWTO 5.1 to 5.7 with its own commands, as root: one stage, as nothing between a mount and its end can be kept. */
export function hostRootStage(
  recipe: Recipe,
  { steps, images, ramdisk }: HowtoSteps,
  options: HostRootOptions,
  from: HostRootInputs,
): Stage {
  const files = [...from.files].map(([location, input], index) => ({
    location,
    input,
    name: `file ${index}`,
  }));
  const made = ramdisk === undefined ? images : [...images, ramdisk];
  const { configure, epoch, distribution, cluster, filesystem } = recipe;
  return {
    name: 'root-image',
    title: `Make ${made.join(', ')} with the tools of this host`,
    module: import.meta.url,
    parameters: {
      backend: 'host',
      epoch,
      distribution,
      configure: {
        ...configure,
        files: configure.files.map(({ at: _at, ...file }) => ({ ...file, source: null })),
      },
      nodes: [...cluster.addresses],
      filesystem: { ...filesystem },
      steps: textsOf(recipe),
    } as unknown as JsonValue,
    inputs: {
      ...from.inputs,
      ...Object.fromEntries(files.map(({ name, input }) => [name, input])),
      ...(from.sshIdentity === undefined ? {} : { 'ssh-identity': from.sshIdentity }),
    },
    tools: [
      ...FORMATTERS[filesystem.type],
      { program: 'make', package: 'make', versionArguments: ['--version'] },
      { program: 'losetup', package: 'mount', versionArguments: ['--version'] },
    ],
    artifacts: [...made],
    // Kernel and mkfs put times and numbers of their own into it: made again it is another one.
    keeping: 'stored',
    run: async (context) => {
      checkRoot();
      const folder = join(context.work, 'host');
      mkdirSync(folder);
      for (const name of from.configurations)
        await place(name, from.inputs[name], join(folder, name), context);
      const sources = new Map<string, TreeNode>();
      for (const { location, input, name } of files)
        sources.set(location, await nodeOf(input, name, context));
      if (from.sshIdentity !== undefined)
        sources.set(IDENTITY_LOCATION, (await context.inputTree('ssh-identity')).root);
      let report: readonly ReportLine[] = [];
      await withHost(options, context, async (journal) => {
        await runSteps(steps, {
          folder,
          journal,
          signal: context.signal,
          tools: options.tools,
          timeLimit: Math.max(STEP_SECONDS, recipe.clusterTools?.timeLimit ?? 0),
          log: join(context.work, 'host.log'),
          input: (name, at) => place(name, from.inputs[name], at, context),
          edit: async () => {
            report = await editRoot(recipe, options.mountPoint, sources, context.pace);
          },
          onStep: ({ section, title }) => context.output(`${section} ${title}`),
          onOutput: (line) => context.output(line),
        });
      });
      return {
        artifacts: Object.fromEntries(
          made.map((name) => [name, { kind: 'file', path: join(folder, name) } as const]),
        ),
        facts: { backend: 'host', steps: steps.length, report } as unknown as JsonValue,
      };
    },
  };
}

/** The commands, wherever this host mounts the root. */
function textsOf(recipe: Recipe): string[] {
  const { steps } = howtoSteps(recipe, { mountPoint: '/mnt', recipeArguments: [] });
  return steps.filter(({ by }) => by === undefined).map(({ text }) => text);
}

function checkRoot(): void {
  if (process.getuid?.() === 0) return;
  throw hostError(
    'the host backend mounts filesystems: it needs root',
    'Run it as root, or use --backend native.',
  );
}

/** Has this host's mount points and names to itself, with a journal of what is made. */
async function withHost(
  { tools }: HostRootOptions,
  context: StageContext,
  body: (journal: Journal) => Promise<void>,
): Promise<void> {
  const lock = await lockHost({
    signal: context.signal,
    onWait: ({ pid }) =>
      context.warning(`waiting for process ${pid}, which builds with the tools of this host`),
    onCleaned: (what) => context.warning(`a build that died had left ${what}: it is gone now`),
    ...(tools === undefined ? {} : { tools }),
  });
  try {
    const journal = Journal.begin(hostStateFolder());
    try {
      await body(journal);
    } finally {
      journal.close();
    }
  } finally {
    lock.release();
  }
}

/**
 * Puts an input where the steps look for it. What a checkout gave is laid out, and what lies in the cache gets another
 * name, as that may still move there; a file of the user's stays where it is.
 */
async function place(
  name: string,
  input: StageInput | undefined,
  at: string,
  context: StageContext,
): Promise<void> {
  if (input?.kind !== 'artifact') return symlinkSync(await context.inputPath(name), at);
  if (input.artifact === 'tree') {
    await extractTree((await context.inputTree(name)).root, at, {}, context.pace);
    return;
  }
  const path = await context.inputPath(name);
  try {
    linkSync(path, at);
  } catch {
    copyFileSync(path, at);
  }
}
