import { z } from 'zod';
import { nearestWord } from '../../images/suggestion.js';
import type { FaultDetails, Faults, RelatedPlace } from './faults.js';
import type { RecipePath } from './recipe.js';
import {
  describeNode,
  keyAt,
  type MapNode,
  markAt,
  nodeAt,
  pathText,
  plainValue,
  type RecipeNode,
  type ScalarNode,
  topOf,
} from './recipe-node.js';
import type { Mark } from './recipe-text.js';
import { expectations } from './scalars.js';
import { recipeSchema } from './schema.js';

/**
 * Notes all that is wrong with the recipe's shape: unknown, wrong and (when it is whole) missing keys. Adds the values
 * that are wrong to `broken`, and has nothing to say of those that are there already.
 */
export function checkShape(recipe: MapNode, isWhole: boolean, broken: Set<RecipeNode>, faults: Faults): void {
  const result = recipeSchema.safeParse(plainValue(recipe));
  if (result.success) return;
  const check = new ShapeCheck(recipe, isWhole, broken, faults);
  // What is missing is not worth a word where an unknown key is likely to be it.
  const isUnknown = ({ code }: z.core.$ZodIssue): number => (code === 'unrecognized_keys' ? 0 : 1);
  const issues = [...result.error.issues].sort((a, b) => isUnknown(a) - isUnknown(b));
  for (const issue of issues) check.note(issue, issue.path as RecipePath);
}

/** The schema that holds at a path, as far as there is one. */
function schemaAt(path: RecipePath): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = recipeSchema;
  for (const key of path) {
    const outer = unwrap(schema);
    if (outer instanceof z.ZodObject) {
      const shape = outer.shape as Record<string, z.core.$ZodType>;
      schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    } else if (outer instanceof z.ZodArray) schema = outer.element;
    else if (outer instanceof z.ZodRecord) schema = outer.valueType;
    else return undefined;
  }
  return schema;
}

/** Without "optional", and of a text or a map the map. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap());
  if (!(schema instanceof z.ZodUnion)) return schema;
  return schema.options.find((option) => option instanceof z.ZodObject) ?? schema;
}

function keysOf(path: RecipePath): string[] {
  const schema = unwrap(schemaAt(path));
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

class ShapeCheck {
  /** The keys, as paths, that unknown ones are likely to mean. */
  private readonly meant = new Set<string>();

  constructor(
    private readonly recipe: MapNode,
    private readonly isWhole: boolean,
    private readonly broken: Set<RecipeNode>,
    private readonly faults: Faults,
  ) {}

  note(issue: z.core.$ZodIssue, path: RecipePath): void {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) this.unknownKey(path, key);
      return;
    }
    if (issue.code === 'invalid_key') {
      const mark = keyAt(this.recipe, path);
      const message = `"${path.at(-1)}" is no name of a variable`;
      this.faults.add(mark ?? this.recipe.mark, message, {
        hint: 'Names have letters, digits and "_", no digit first.',
      });
      return;
    }
    if (issue.code === 'invalid_union') {
      // Of a text or a map the map: then what is wrong inside of it is said.
      const inner = issue.errors.find((issues) => !issues.some(isWrongKind));
      if (inner !== undefined) {
        for (const each of inner) this.note(each, [...path, ...(each.path as RecipePath)]);
        return;
      }
    }
    const node = nodeAt(this.recipe, path);
    if (node === undefined) {
      if (this.isWhole && !this.meant.has(pathText(path))) this.missing(path);
    } else if (!this.broken.has(node)) this.wrong(issue, path, node);
  }

  private unknownKey(path: RecipePath, key: string): void {
    const known = keysOf(path);
    const near = nearestWord(key, known);
    const variable = near === undefined && path.length === 0 ? this.variableNear(key) : undefined;
    if (near !== undefined) this.meant.add(pathText([...path, near]));
    const map = nodeAt(this.recipe, path);
    if (map !== undefined) this.broken.add(map);
    const elsewhere = Object.keys(recipeSchema.shape).find((top) => keysOf([top]).includes(key));
    const isTop = Object.hasOwn(recipeSchema.shape, key);
    const hint =
      near !== undefined
        ? `Did you mean "${near}"?`
        : variable !== undefined
          ? `Did you mean the variable "${variable}"?`
          : isTop
            ? `"${key}" is a key of the recipe itself, not of ${pathText(path)}.`
            : elsewhere !== undefined
              ? `"${key}" is a key of ${elsewhere}.`
              : `Known here: ${known.join(', ')}.`;
    const mark = keyAt(this.recipe, [...path, key]) ?? this.recipe.mark;
    const where = path.length === 0 ? '' : ` in ${pathText(path)}`;
    this.faults.add(mark, `unknown key "${key}"${where}`, { hint });
  }

  /** The variable that a key at the top may be meant for: --set takes both. */
  private variableNear(key: string): string | undefined {
    const variables = nodeAt(this.recipe, ['variables']);
    return variables?.kind === 'map' ? nearestWord(key, [...variables.entries.keys()]) : undefined;
  }

  private missing(path: RecipePath): void {
    noteMissing(this.recipe, path, this.faults);
  }

  private wrong(issue: z.core.$ZodIssue, path: RecipePath, node: RecipeNode): void {
    this.broken.add(node);
    const { what, hint } = expectationAt(path);
    const name = typeof path.at(-1) === 'number' ? pathText(path.slice(-2)) : String(path.at(-1));
    const isCustom = issue.code === 'custom';
    const message = `${name} is ${describeNode(node)}: ${isCustom ? issue.message : `${what} belongs here`}`;
    const scalar = node.kind === 'scalar' ? node : undefined;
    const advice =
      scalar === undefined || isCustom
        ? undefined
        : (this.quotesHint(path, scalar, hint) ?? hint?.(scalar.value));
    this.faults.add(markAt(this.recipe, path), message, {
      hint: advice ?? this.wordHint(path, scalar) ?? listHint(path, scalar),
      related: origins(node),
    });
  }

  /** A number that should be a text, or the other way round. */
  private quotesHint(path: RecipePath, { value, source }: ScalarNode, hint: unknown): string | undefined {
    const schema = schemaAt(path);
    if (schema === undefined || source === '') return undefined;
    const isRight = (other: unknown): boolean => z.safeParse(schema, other).success;
    if (typeof value === 'string') {
      const plain = /^-?\d{1,15}$/.test(value)
        ? Number(value)
        : /^(?:true|false)$/.test(value)
          ? value === 'true'
          : value;
      return plain !== value && isRight(plain) ? 'Write it without quotes.' : undefined;
    }
    return hint === undefined && isRight(source) ? `Write it in quotes: '${source}'.` : undefined;
  }

  private wordHint(path: RecipePath, node: ScalarNode | undefined): string | undefined {
    let schema = schemaAt(path);
    if (schema instanceof z.ZodOptional) schema = schema.unwrap();
    if (typeof node?.value !== 'string' || !(schema instanceof z.ZodEnum)) return undefined;
    const near = nearestWord(node.value, schema.options.map(String));
    return near === undefined ? undefined : `Did you mean "${near}"?`;
  }
}

function expectationAt(path: RecipePath) {
  let schema = schemaAt(path);
  if (schema instanceof z.ZodOptional) schema = schema.unwrap();
  const known = schema === undefined ? undefined : expectations.get(schema as z.ZodType);
  return known?.expectation ?? { what: 'a text' };
}

/** One value where a list belongs. */
function listHint(path: RecipePath, node: ScalarNode | undefined): string | undefined {
  const schema = unwrap(schemaAt(path));
  if (!(schema instanceof z.ZodArray) || node === undefined || node.value === null) return undefined;
  const isItem = z.safeParse(schema.element, node.value).success;
  return isItem ? `Write a list: [${node.source}].` : undefined;
}

/** Notes that a key is missing, and how it is written. `why` ends the sentence, where it is not always needed. */
export function noteMissing(recipe: MapNode, path: RecipePath, faults: Faults, why = ''): void {
  const parent = path.slice(0, -1);
  const key = String(path.at(-1));
  const { example } = expectationAt(path);
  const where = parent.length === 0 ? '' : ` in ${pathText(parent)}`;
  faults.add(
    parent.length === 0 ? topMark(recipe, faults) : markAt(recipe, parent),
    `"${key}" is missing${where}${why}`,
    { hint: example === undefined ? undefined : `Add it: ${key}: ${example}` },
  );
}

/** The start of the recipe file itself: what is missing is missing there. */
function topMark(recipe: MapNode, faults: Faults): Mark {
  const [main] = faults.chain;
  return main === undefined ? recipe.mark : topOf(recipe, main);
}

/** Whether an issue says that a value as a whole is of another kind than one branch of a union. */
function isWrongKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && code !== 'unrecognized_keys';
}

/** Where the variables of a value get theirs from. */
export function origins(node: RecipeNode): RelatedPlace[] {
  if (node.kind !== 'scalar') return [];
  return (node.variables ?? []).map(({ name, value }) => ({
    mark: value.mark,
    what: `\${${name}} is ${describeNode(value)} here`,
  }));
}

/** What else a fault at a path shows. */
export function detailsAt(recipe: MapNode, path: RecipePath, hint?: string): FaultDetails {
  const node = nodeAt(recipe, path);
  return { hint, related: node === undefined ? [] : origins(node) };
}
