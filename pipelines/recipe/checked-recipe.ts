import type { FaultDetails, Faults, RelatedPlace } from './faults.js';
import type { RecipePath } from './recipe.js';
import { type MapNode, markAt, nodeAt, type RecipeNode } from './recipe-node.js';
import { parseSize } from './scalars.js';
import { origins } from './validate.js';

/**
 * A recipe whose shape has been checked, for what is checked after that: a value that is wrong by itself is
 * undefined here, so that nothing is concluded from it.
 */
export class CheckedRecipe {
  constructor(
    readonly root: MapNode,
    private readonly broken: ReadonlySet<RecipeNode>,
    readonly faults: Faults,
  ) {}

  /** Whether something is wrong with a value by itself, or with the keys of a map. */
  isBroken(node: RecipeNode): boolean {
    return this.broken.has(node);
  }

  /** Notes a fault of what a path leads to. */
  fault(path: RecipePath, message: string, details: FaultDetails = {}): void {
    const node = nodeAt(this.root, path);
    const related = [...(node === undefined ? [] : origins(node)), ...(details.related ?? [])];
    this.faults.add(markAt(this.root, path), message, { ...details, related });
  }

  /** A place to show with a fault, if it is there. */
  here(path: RecipePath, what: string): RelatedPlace[] {
    return nodeAt(this.root, path) === undefined ? [] : [{ mark: markAt(this.root, path), what }];
  }

  /** The paths of a list's items. */
  items(path: RecipePath): RecipePath[] {
    const list = nodeAt(this.root, path);
    return list?.kind === 'list' ? list.items.map((_, index) => [...path, index]) : [];
  }

  /** The paths that a pattern stands for: `*` is every item of a list. */
  pathsLike(pattern: readonly string[]): RecipePath[] {
    const star = pattern.indexOf('*');
    if (star < 0) return [pattern];
    return this.items(pattern.slice(0, star)).map((path) => [...path, ...pattern.slice(star + 1)]);
  }

  private value(path: RecipePath): unknown {
    const node = nodeAt(this.root, path);
    return node?.kind === 'scalar' && !this.broken.has(node) ? node.value : undefined;
  }

  text(path: RecipePath): string | undefined {
    const value = this.value(path);
    return typeof value === 'string' ? value : undefined;
  }

  /** The default holds where the key is not there; a wrong value is unknown. */
  number(path: RecipePath, otherwise?: number): number | undefined {
    if (nodeAt(this.root, path) === undefined) return otherwise;
    const value = this.value(path);
    return typeof value === 'number' ? value : undefined;
  }

  size(path: RecipePath, otherwise?: string): number | undefined {
    const isThere = nodeAt(this.root, path) !== undefined;
    const value = isThere ? this.value(path) : otherwise;
    return typeof value === 'string' || typeof value === 'number' ? parseSize(value) : undefined;
  }
}
