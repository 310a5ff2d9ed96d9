import type { CheckedRecipe } from './checked-recipe.js';
import type { RecipePath } from './recipe.js';
import { keyAt, type MapEntry, nodeAt, pathText } from './recipe-node.js';
import type { Mark } from './recipe-text.js';

/** Keys of a map of which exactly one says where something comes from. */
interface Alternatives {
  /** The path of the map; `*` stands for any key or index. */
  readonly path: readonly string[];
  readonly keys: readonly string[];
  /** Keys that belong to whichever of `keys` is there: another source has another digest. */
  readonly attached: readonly string[];
  /** How it is written, for a hint. */
  readonly example: string;
  /** Keys of `keys` that `attached` can't go with. */
  readonly plain?: readonly string[];
  /** Two of `keys` that go together: a thing, and a part of it that alone is a part of something else. */
  readonly pair?: readonly [whole: string, part: string];
}

/** What the map as a whole stands for is optional where it is: but where the map is, one of the keys must be. */
const alternatives: readonly Alternatives[] = [
  {
    path: ['base'],
    keys: ['image', 'tar', 'directory', 'mmdebstrap', 'given'],
    attached: ['sha256', 'mirrors'],
    example: 'base: {image: ./root_fs.bz2}',
    plain: ['directory', 'mmdebstrap', 'given'],
  },
  {
    path: ['clusterTools', 'source'],
    keys: ['url', 'path', 'cvs'],
    attached: ['sha256', 'mirrors'],
    example: 'source: {path: ./cluster-tools.tar.bz2}',
    plain: ['cvs'],
  },
  {
    path: ['modules'],
    keys: ['tar', 'directory', 'image', 'path'],
    attached: ['sha256', 'mirrors'],
    example: 'modules: {image: ./root_fs.old, path: /lib/modules}',
    plain: ['directory', 'path'],
    pair: ['image', 'path'],
  },
  {
    path: ['kernel'],
    keys: ['image', 'path'],
    attached: ['sha256', 'mirrors'],
    example: 'kernel: {path: /usr/bin/linux.uml}',
    plain: ['path'],
  },
  {
    path: ['configure', 'files', '*'],
    keys: ['from', 'content'],
    attached: ['sha256', 'mirrors'],
    example: '{from: ./motd, to: /etc/motd}',
    plain: ['content'],
  },
  {
    path: ['configure', 'files', '*'],
    keys: ['to', 'path'],
    attached: [],
    example: '{from: ./motd, to: /etc/motd}',
  },
];

/** One source each, but with a digest that goes when it changes. */
const single: readonly Omit<Alternatives, 'example'>[] = [
  { path: ['clusterTools'], keys: ['source'], attached: ['sha256', 'mirrors'] },
  { path: ['lockTable'], keys: ['image'], attached: ['sha256', 'mirrors'] },
];

/** Whether a path is one that a pattern stands for. */
function matchesPath(pattern: readonly string[], path: RecipePath): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((part, index) => part === '*' || part === String(path[index]))
  );
}

/**
 * Prepares the entries of a map for a key that the command line sets: the alternatives of that key go, and the
 * digest and mirrors of what is replaced, unless the command line has set them as well. `isNew` says whether the key
 * gets another value, and not just something below it.
 */
export function dropReplaced(
  entries: Map<string, MapEntry>,
  path: RecipePath,
  key: string,
  isNew: boolean,
): void {
  for (const { path: pattern, keys, attached, pair } of [...alternatives, ...single]) {
    if (!keys.includes(key) || !matchesPath(pattern, path)) continue;
    const isPartOfWhole = key === pair?.[1] && entries.has(pair[0]);
    const kept = isPartOfWhole || key === pair?.[0] ? (pair ?? []) : [key];
    const replaced = keys.filter((other) => !kept.includes(other) && entries.has(other));
    const isOther = (isNew && !isPartOfWhole) || replaced.length > 0;
    for (const name of [...replaced, ...(isOther ? attached : [])]) {
      if (entries.get(name)?.key.text.isArgument !== true) entries.delete(name);
    }
  }
}

/** Notes where none or several of some alternatives are there, and what does not go with the one that is. */
export function checkAlternatives(recipe: CheckedRecipe): void {
  for (const each of alternatives)
    for (const path of recipe.pathsLike(each.path)) checkMap(recipe, each, path);
}

function checkMap(
  recipe: CheckedRecipe,
  { keys, attached, example, plain = [], pair }: Alternatives,
  path: RecipePath,
): void {
  const map = nodeAt(recipe.root, path);
  if (map?.kind !== 'map') return;
  const [whole, part] = pair ?? [];
  const isPair = whole !== undefined && map.entries.has(whole);
  const [first, second] = keys.filter((key) => map.entries.has(key) && !(isPair && key === part));
  const where = pathText(path);
  if (first === undefined) {
    // With an unknown key in it, that is the one to put right.
    if (recipe.isBroken(map)) return;
    const message = `${where} needs one of ${listed(keys)}`;
    recipe.fault(path, message, { hint: `For example ${example}` });
    return;
  }
  if (second !== undefined) {
    const [mark, earlier] = inOrder(recipe, [...path, first], [...path, second]);
    const isExtended = !mark.mark.text.isArgument && earlier.mark.text !== mark.mark.text;
    recipe.faults.add(
      mark.mark,
      `${where} has both "${earlier.key}" and "${mark.key}": exactly one of ${listed(keys)} belongs here`,
      {
        hint: isExtended ? `To take the other one away write ${earlier.key}: null.` : undefined,
        related: [{ mark: earlier.mark, what: `"${earlier.key}" is here` }],
      },
    );
    return;
  }
  for (const key of plain.includes(first) ? attached : []) {
    const mark = keyAt(recipe.root, [...path, key]);
    if (mark !== undefined) recipe.faults.add(mark, `"${key}" does not go with "${first}" in ${where}`);
  }
}

/** Of two keys the later one as that at fault: within a file by its place, else that of the extending file. */
function inOrder(recipe: CheckedRecipe, a: RecipePath, b: RecipePath) {
  const [first, second] = [a, b].map((path) => ({
    key: String(path.at(-1)),
    mark: keyAt(recipe.root, path) ?? recipe.root.mark,
  })) as [{ key: string; mark: Mark }, { key: string; mark: Mark }];
  const layer = ({ mark }: typeof first): number => {
    const index = recipe.faults.chain.indexOf(mark.text);
    return index < 0 ? 1 : -index;
  };
  const isFirstLater = layer(first) - layer(second) || first.mark.start - second.mark.start;
  return isFirstLater > 0 ? ([first, second] as const) : ([second, first] as const);
}

function listed(keys: readonly string[]): string {
  return `${keys.slice(0, -1).join(', ')} or ${keys.at(-1)}`;
}
