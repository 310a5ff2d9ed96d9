import type { RecipePath } from './recipe.js';
import { type Mark, type RecipeText, startOf } from './recipe-text.js';

/** A recipe as data that knows where each part of it stands. Nodes are never changed, only replaced. */
export type RecipeNode = ScalarNode | MapNode | ListNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** The value as it was written, without quotes: `0644` where the value is 644. */
  readonly source: string;
  readonly mark: Mark;
  /** The folder that it refers to, if it is a relative path. */
  readonly directory: string;
  /** The variables that its text was made of. */
  readonly variables?: readonly UsedVariable[];
}

export interface UsedVariable {
  readonly name: string;
  readonly value: ScalarNode;
}

export interface MapEntry {
  readonly key: Mark;
  readonly value: RecipeNode;
}

export interface MapNode {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
  readonly mark: Mark;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly RecipeNode[];
  readonly mark: Mark;
}

/** The node below a map's key or a list's index. */
function childOf(node: RecipeNode, key: string | number): RecipeNode | undefined {
  if (node.kind === 'map') return node.entries.get(String(key))?.value;
  return node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined;
}

/** The node that a path leads to, if there is one. */
export function nodeAt(root: RecipeNode, path: RecipePath): RecipeNode | undefined {
  let node: RecipeNode | undefined = root;
  for (const key of path) {
    if (node === undefined) return undefined;
    node = childOf(node, key);
  }
  return node;
}

/** The key that a path ends with, if it leads to an entry of a map. */
export function keyAt(root: RecipeNode, path: RecipePath): Mark | undefined {
  const parent = nodeAt(root, path.slice(0, -1));
  return parent?.kind === 'map' ? parent.entries.get(String(path.at(-1)))?.key : undefined;
}

/**
 * Where messages point for a path: at a scalar itself, at the key of a map or list (at its start when it is a list's
 * item), and for what is not there at what it should stand in.
 */
export function markAt(root: RecipeNode, path: RecipePath): Mark {
  const node = nodeAt(root, path);
  if (node === undefined) return path.length === 0 ? root.mark : markAt(root, path.slice(0, -1));
  if (node.kind === 'scalar') return node.mark;
  return keyAt(root, path) ?? startOfNode(node);
}

/** The first token of a map or list, for a caret. */
function startOfNode(node: RecipeNode): Mark {
  if (node.kind === 'scalar') return node.mark;
  if (node.kind === 'map' && node.entries.size > 0) return topOf(node, node.mark.text);
  return { ...node.mark, end: node.mark.start + 1 };
}

/** The first key that a map has in a text: where its top is. */
export function topOf(map: MapNode, text: RecipeText): Mark {
  let first: Mark | undefined;
  for (const { key } of map.entries.values()) {
    if (key.text === text && (first === undefined || key.start < first.start)) first = key;
  }
  return first ?? startOf(text);
}

/** Without marks: strings, numbers, booleans, null, arrays, and objects that have no prototype. */
export function plainValue(node: RecipeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, { value }] of node.entries) object[key] = plainValue(value);
  return object;
}

/** A value for a message: text in quotes and cut to a readable length, what is no scalar by its kind. */
export function describeNode(node: RecipeNode): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  if (node.value === null) return 'empty';
  return typeof node.value === 'string' ? quoted(node.value) : node.source;
}

const QUOTED_MAX = 80;

/** Text in quotes, cut to a readable length. */
export function quoted(text: string): string {
  const characters = [...text];
  return characters.length <= QUOTED_MAX
    ? JSON.stringify(text)
    : `${JSON.stringify(characters.slice(0, QUOTED_MAX).join(''))} and so on`;
}

/** A path for a message: `pools[1].size`. */
export function pathText(path: RecipePath): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}
