import { EMPTY_CONTENT } from '../../images/tree/content.js';
import type { FileNode, TreeNode } from '../../images/tree/node.js';
import { overlay } from '../../images/tree/overlay.js';
import type { Tree } from '../../images/tree/tree.js';
import type { JsonValue } from '../cache/canonical-json.js';
import { configureRoot } from '../configure/configure-root.js';
import { installModules, subtreeOf } from '../configure/modules.js';
import type { ReportLine } from '../configure/report.js';
import type { Stage, StageContext, StageInput } from '../engine/stage.js';
import { nodeName } from '../ramdisk/node-network.js';
import type { ConfigureSettings, FileSettings, Recipe } from '../recipe/recipe.js';

/** Missing paths that a warning names. */
const MISSING_SHOWN = 5;

export interface ConfigureInputs {
  readonly base: StageInput;
  /** What the cluster tools' make rule changed. */
  readonly clusterTools?: StageInput;
  readonly modules?: StageInput;
  /** Keys of this cluster, to be laid over the root. */
  readonly sshIdentity?: StageInput;
  /** Whether the modules come from this host as they were built there. */
  readonly modulesFromHost: boolean;
  /** What the recipe's files come from, by their location. */
  readonly files: ReadonlyMap<string, StageInput>;
}

/**
 * HOWTO 5.4 to 5.6 come together: the cluster tools are laid over the base, the modules go in, and the root is
 * configured. Nothing is copied: it is all edits of a tree.
 */
export function configureStage(recipe: Recipe, from: ConfigureInputs): Stage {
  const fileInputs = [...from.files].map(([location, input], index) => ({
    location,
    input,
    name: `file ${index}`,
  }));
  return {
    name: 'configure',
    title: 'Configure the root',
    module: import.meta.url,
    parameters: {
      epoch: recipe.epoch,
      distribution: recipe.distribution,
      configure: settingsOf(recipe),
      modules: recipe.modules?.kind === 'base' ? { path: recipe.modules.path } : null,
      modulesFromHost: from.modulesFromHost,
      nodes: recipe.configure.network.hosts ? nodesOf(recipe) : null,
    },
    inputs: {
      base: from.base,
      ...(from.clusterTools === undefined ? {} : { 'cluster-tools': from.clusterTools }),
      ...(from.modules === undefined ? {} : { modules: from.modules }),
      ...(from.sshIdentity === undefined ? {} : { 'ssh-identity': from.sshIdentity }),
      ...Object.fromEntries(fileInputs.map(({ name, input }) => [name, input])),
    },
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      const base = await context.inputTree('base');
      let tree = base;
      if (from.clusterTools !== undefined) tree = overlay(tree, await context.inputTree('cluster-tools'));
      const report: ReportLine[] = [];
      const modules = await modulesFor(recipe, from, base, context);
      if (modules !== undefined) {
        const installed = installModules(tree, modules, {
          epoch: recipe.epoch,
          fromHost: from.modulesFromHost,
        });
        tree = installed.tree;
        report.push(...installed.report);
      }
      const sources = new Map<string, TreeNode>();
      for (const { location, input, name } of fileInputs)
        sources.set(location, await nodeOf(input, name, context));
      if (from.sshIdentity !== undefined)
        sources.set(IDENTITY_LOCATION, (await context.inputTree('ssh-identity')).root);
      const configured = configureRoot(tree, settingsFor(recipe, from.sshIdentity !== undefined), {
        epoch: recipe.epoch,
        distribution: recipe.distribution,
        nodes: nodesOf(recipe),
        sources,
        faultAt: (path, message, hint) => recipe.faultAt(path, message, hint),
      });
      report.push(...configured.report);
      warnOfMissing(configured.report, context);
      return {
        artifacts: { tree: { kind: 'tree', tree: configured.tree } },
        facts: report as unknown as JsonValue,
      };
    },
  };
}

/** Names and addresses of a recipe's nodes. */
export function nodesOf({ cluster }: Recipe): { name: string; address: string }[] {
  return cluster.addresses.map((address, index) => ({ name: nodeName(index + 1), address }));
}

/** Where the keys of the nodes would lie if they were a file of the recipe: no path has this form. */
export const IDENTITY_LOCATION = 'ssh:';

/** The keys come before the files of the recipe, which may replace them. */
export function settingsFor({ configure }: Recipe, hasIdentity: boolean): ConfigureSettings {
  if (!hasIdentity) return configure;
  const at = ['ssh'];
  const keys: FileSettings = {
    to: '/',
    uid: 0,
    gid: 0,
    at,
    source: { location: IDENTITY_LOCATION, mirrors: [], at },
  };
  return { ...configure, files: [keys, ...configure.files] };
}

async function modulesFor(
  recipe: Recipe,
  from: ConfigureInputs,
  base: Tree,
  context: StageContext,
): Promise<Tree | undefined> {
  if (recipe.modules?.kind === 'base') return subtreeOf(base, recipe.modules.path);
  return from.modules === undefined ? undefined : context.inputTree('modules');
}

/** What was to be removed and is not there may be misspelt: that is said aloud, once for all of it. */
function warnOfMissing(report: readonly ReportLine[], context: StageContext): void {
  for (const [step, what] of [
    ['remove-services', 'services to remove'],
    ['remove', 'paths to remove'],
  ] as const) {
    const lines = report.filter((line) => line.step === step);
    const missing = lines.filter(({ outcome }) => outcome === 'not there').map(({ path }) => path);
    if (missing.length === 0) continue;
    const shown = missing.slice(0, MISSING_SHOWN).join(', ');
    context.warning(
      `${missing.length} of ${lines.length} ${what} are not in this root: ${shown}${missing.length > MISSING_SHOWN ? ', …' : ''}`,
      missing.length === lines.length ? 'Are they spelt right, and is configure.rcDirectory?' : undefined,
    );
  }
}

/** The settings as they decide the result: where a source lies does not, its bytes are an input. */
function settingsOf({ configure }: Recipe): JsonValue {
  const files = configure.files.map((file) => {
    const { at: _at, ...rest } = file;
    return 'source' in rest ? { ...rest, source: null } : rest;
  });
  return { ...configure, files } as unknown as JsonValue;
}

/** What the recipe names as a file's source, as a node of a tree. */
export async function nodeOf(input: StageInput, name: string, context: StageContext): Promise<TreeNode> {
  if (input.kind === 'directory') return (await context.inputTree(name)).root;
  const source = await context.inputSource(name);
  const isExecutable = context.inputIsExecutable(name);
  const node: Omit<FileNode, 'content'> = {
    type: 'file',
    mode: isExecutable ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    size: source.size,
  };
  if (source.size === 0) return { ...node, content: EMPTY_CONTENT };
  const extent = { offset: 0, position: 0, length: source.size };
  return { ...node, content: { kind: 'extents', source, extents: () => [extent] } };
}
