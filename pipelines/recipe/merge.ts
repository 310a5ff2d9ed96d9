import type { MapEntry, MapNode, RecipeNode } from './recipe-node.js';

/**
 * One recipe over what it extends: maps are merged key by key, anything else replaces what was there, and a key
 * whose value is null is taken away.
 */
export function mergeOver(lower: MapNode, upper: MapNode): MapNode {
  const entries = new Map<string, MapEntry>(lower.entries);
  for (const [name, entry] of upper.entries) {
    const below = entries.get(name)?.value;
    if (isNull(entry.value)) entries.delete(name);
    else if (below?.kind === 'map' && entry.value.kind === 'map')
      entries.set(name, { key: entry.key, value: mergeOver(below, entry.value) });
    else entries.set(name, { key: entry.key, value: withoutNulls(entry.value) });
  }
  return { kind: 'map', entries, mark: upper.mark };
}

/** A map that extends nothing: its nulls take nothing away, and go. */
export function withoutNulls(node: MapNode): MapNode;
export function withoutNulls(node: RecipeNode): RecipeNode;
export function withoutNulls(node: RecipeNode): RecipeNode {
  if (node.kind !== 'map') return node;
  const entries = new Map<string, MapEntry>();
  for (const [name, entry] of node.entries) {
    if (!isNull(entry.value)) entries.set(name, { key: entry.key, value: withoutNulls(entry.value) });
  }
  return { ...node, entries };
}

function isNull(node: RecipeNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}
