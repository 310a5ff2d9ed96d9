import { DiagnosticError } from '../../../images/diagnostic.js';
import { readContent } from '../../../images/tree/content.js';
import type { Tree } from '../../../images/tree/tree.js';
import { configureRoot } from '../../../pipelines/configure/configure-root.js';
import type { ConfigureContext } from '../../../pipelines/configure/context.js';
import type { ReportLine } from '../../../pipelines/configure/report.js';
import type { ConfigureSettings, RecipePath } from '../../../pipelines/recipe/recipe.js';

/** Not the time of any file of `small-trees.ts`. */
export const EPOCH = 1_020_000_000;
export const NOW = { seconds: EPOCH, nanoseconds: 0 };

const nothing: ConfigureSettings = {
  rcDirectory: '/etc/rc.d',
  removeServices: [],
  remove: [],
  files: [],
  network: { patch: false, hosts: false },
};

export interface Edited {
  readonly tree: Tree;
  readonly report: readonly ReportLine[];
}

/** Applies some of the settings alone. */
export function configure(
  tree: Tree,
  settings: Partial<ConfigureSettings>,
  context: Partial<ConfigureContext> = {},
): Edited {
  const all = {
    epoch: EPOCH,
    distribution: 'redhat' as const,
    nodes: [],
    sources: new Map(),
    faultAt,
    ...context,
  };
  return configureRoot(tree, { ...nothing, ...settings }, all);
}

/** A fault of a recipe without its lines: the path of the value stands in the message. */
export function faultAt(path: RecipePath, message: string, hint?: string): DiagnosticError {
  return new DiagnosticError({
    kind: 'recipe',
    message: `${path.join('.')}: ${message}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The error of an edit that can't be made; anything but a DiagnosticError fails the test. */
export function faultOf(edit: () => unknown): DiagnosticError {
  try {
    edit();
  } catch (error) {
    if (error instanceof DiagnosticError) return error;
    throw error;
  }
  throw new Error('no error');
}

/** A file's text. */
export function contentOf(tree: Tree, path: string): string {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`${path} is ${node?.type ?? 'not there'}`);
  return readContent(node.content, node.size).toString('latin1');
}

/** A report as short lines: outcome, path, line, detail. */
export function shortly(report: readonly ReportLine[]): string[] {
  return report.map(({ outcome, path, line, detail }) =>
    [
      `${outcome}:`,
      path,
      ...(line === undefined ? [] : [`line ${line}`]),
      ...(detail === undefined ? [] : [detail]),
    ].join(' '),
  );
}
