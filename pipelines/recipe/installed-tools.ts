import type { Faults } from './faults.js';
import type { RecipePath } from './recipe.js';
import { keyAt, type MapNode, nodeAt } from './recipe-node.js';
import type { Mark } from './recipe-text.js';

/** What decides what the make rule installs. */
const deciding: readonly RecipePath[] = [
  ['base'],
  ['base', 'image'],
  ['base', 'tar'],
  ['base', 'directory'],
  ['base', 'mmdebstrap'],
  ['base', 'sha256'],
  ['distribution'],
  ['clusterTools', 'source'],
  ['clusterTools', 'rule'],
];

/**
 * An archive of installed cluster tools goes with the base, the rule and the source of the recipe that names it. Where
 * an extending recipe or the command line changes one of these, it is not taken.
 */
export function withoutOutdatedInstall(root: MapNode, faults: Faults): MapNode {
  const installed = keyAt(root, ['clusterTools', 'installed']);
  const tools = nodeAt(root, ['clusterTools']);
  if (installed === undefined || tools?.kind !== 'map') return root;
  const layer = ({ text }: Mark): number => (text.isArgument ? -1 : faults.chain.indexOf(text));
  const isOutdated = deciding.some((path) => {
    const mark = keyAt(root, path);
    return mark !== undefined && layer(mark) < layer(installed);
  });
  if (!isOutdated) return root;
  const entries = new Map(root.entries);
  const kept = new Map(tools.entries);
  kept.delete('installed');
  const key = entries.get('clusterTools')?.key ?? installed;
  entries.set('clusterTools', { key, value: { ...tools, entries: kept } });
  return { ...root, entries };
}
