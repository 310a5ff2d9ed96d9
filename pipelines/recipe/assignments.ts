import { dropReplaced } from './alternatives.js';
import type { Faults } from './faults.js';
import { parseScalar, parseScalarList } from './parse-recipe.js';
import type { RecipePath } from './recipe.js';
import {
  type ListNode,
  type MapNode,
  pathText,
  quoted,
  type RecipeNode,
  type ScalarNode,
} from './recipe-node.js';
import { type Mark, RecipeText } from './recipe-text.js';
import { parseSize } from './scalars.js';

const ARGUMENT_MAX = 64 * 1024;
/** No key of a recipe lies deeper. */
const SEGMENTS_MAX = 8;

interface Segment {
  readonly key: string;
  readonly mark: Mark;
}

/**
 * Applies `--set key=value` arguments in their order: a key is a variable, or the dotted path of a recipe key. The
 * value is a scalar as YAML has it, or a list of them such as `[a, b]`; an empty one takes the key away. Faults are
 * noted.
 */
export function applyAssignments(
  recipe: MapNode,
  assignments: readonly string[],
  workingDirectory: string,
  faults: Faults,
): MapNode {
  let result = recipe;
  for (const argument of assignments) {
    const text = RecipeText.ofArgument(argument, workingDirectory);
    faults.arguments.push(text);
    const whole = { text, start: 0, end: argument.length };
    const equals = argument.indexOf('=');
    const hint = 'For example --set cluster.nodes=3.';
    if (argument.length > ARGUMENT_MAX || argument.includes('\0'))
      faults.add(whole, 'no value that --set takes');
    else if (equals < 1) faults.add(whole, '--set needs the form key=value', { hint });
    else {
      const segments = segmentsOf(text, equals);
      const empty = segments.find(({ key }) => key === '');
      if (empty !== undefined) faults.add(empty.mark, 'a part of the key is empty', { hint });
      else if (segments.length > SEGMENTS_MAX) faults.add(whole, 'no recipe key lies so deep');
      else result = new Assignment(text, segments, equals, faults).applyTo(result);
    }
  }
  return result;
}

function segmentsOf(text: RecipeText, equals: number): Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  for (const key of text.text.slice(0, equals).split('.')) {
    segments.push({ key, mark: { text, start, end: start + key.length } });
    start += key.length + 1;
  }
  return segments;
}

class Assignment {
  private readonly value: Mark;
  private readonly raw: string;

  constructor(
    private readonly text: RecipeText,
    private readonly segments: readonly Segment[],
    equals: number,
    private readonly faults: Faults,
  ) {
    this.value = { text, start: equals + 1, end: text.text.length };
    this.raw = text.text.slice(equals + 1);
  }

  applyTo(recipe: MapNode): MapNode {
    const [first, second, ...more] = this.segments;
    const variables = recipe.entries.get('variables')?.value;
    const isVariable = (key: string | undefined): boolean =>
      key !== undefined && variables?.kind === 'map' && variables.entries.has(key);
    const variable =
      second === undefined && isVariable(first?.key)
        ? first
        : first?.key === 'variables' && more.length === 0 && isVariable(second?.key)
          ? second
          : undefined;
    if (variable !== undefined && variables?.kind === 'map') {
      const before = variables.entries.get(variable.key)?.value;
      const value = this.variableValue(variable.key, before);
      if (value === undefined) return recipe;
      const path: Segment[] = [{ key: 'variables', mark: variable.mark }, variable];
      return asMap(this.set(recipe, path, [], value), recipe);
    }
    const value = /^\[[\s\S]*\]$/.test(this.raw) ? this.parseList() : this.parse();
    if (value === undefined) return recipe;
    return asMap(this.set(recipe, this.segments, [], value), recipe);
  }

  /** The value as YAML would read it in a recipe; undefined when it can't be, which is noted. */
  private parse(): ScalarNode | undefined {
    const isQuoted = /^["']/.test(this.raw);
    // Anything but a word is text as it is: in a path "#" starts no comment, and "*" is no alias.
    const parsed = isQuoted || /^[\w.+~-]*$/.test(this.raw) ? parseScalar(this.raw) : { value: this.raw };
    if (parsed !== undefined) return this.scalar(parsed.value);
    this.faults.add(this.value, 'the quotes of this value do not fit together');
    return undefined;
  }

  private parseList(): ListNode | undefined {
    const parsed = parseScalarList(this.raw);
    if (parsed === undefined) {
      this.faults.add(this.value, '--set takes lists of single values only', {
        hint: 'Write [a, b], or put it into a recipe of your own that extends this one. A text that begins with [ needs quotes.',
      });
      return undefined;
    }
    const { text } = this;
    const items = parsed.map(({ value, source, start, end }): ScalarNode => {
      const mark = { text, start: this.value.start + start, end: this.value.start + end };
      return { kind: 'scalar', value, source, mark, directory: text.directory };
    });
    return { kind: 'list', items, mark: this.value };
  }

  private scalar(value: ScalarNode['value']): ScalarNode {
    return { kind: 'scalar', value, source: this.raw, mark: this.value, directory: this.text.directory };
  }

  /** A variable keeps the type of its default. */
  private variableValue(name: string, before: RecipeNode | undefined): ScalarNode | undefined {
    const parsed = this.parse();
    if (parsed === undefined || before?.kind !== 'scalar') return parsed;
    const type = typeOf(before);
    if (parsed.value === null && type !== 'text') {
      this.faults.add(this.value, `the variable ${name} needs a value`);
      return undefined;
    }
    if (type === 'text') return typeof parsed.value === 'string' ? parsed : this.scalar(this.raw);
    if (type === 'any' || typeFits(type, parsed)) return parsed;
    this.faults.add(
      this.value,
      `the variable ${name} is ${describeType[type]}, but this is ${quoted(this.raw)}`,
      { related: [{ mark: before.mark, what: 'its default is here' }] },
    );
    return undefined;
  }

  /** The tree with a value at a path; maps that are missing on the way are made. */
  private set(
    node: RecipeNode | undefined,
    path: readonly Segment[],
    done: RecipePath,
    value: ScalarNode | ListNode,
  ): RecipeNode | undefined {
    const [segment, ...rest] = path;
    if (segment === undefined) return value;
    if (node?.kind === 'list') {
      const index = /^\d{1,9}$/.test(segment.key) ? Number(segment.key) : Number.NaN;
      if (!(index < node.items.length)) {
        const { length } = node.items;
        this.faults.add(
          segment.mark,
          `${pathText(done)} is a list of ${length}: a number from 0 to ${length - 1} belongs here`,
        );
        return node;
      }
      const items = node.items.map((item, at) =>
        at === index ? (this.set(item, rest, [...done, index], value) ?? item) : item,
      );
      return { ...node, items };
    }
    const entries = new Map(node?.kind === 'map' ? node.entries : []);
    const isLast = rest.length === 0;
    if (isLast && value.kind === 'scalar' && value.value === null) entries.delete(segment.key);
    else {
      const before = entries.get(segment.key)?.value;
      const isNew = isLast ? !isSame(before, value) : before?.kind === 'scalar';
      dropReplaced(entries, done, segment.key, isNew);
      const below = this.set(before, rest, [...done, segment.key], value);
      if (below !== undefined) entries.set(segment.key, { key: segment.mark, value: below });
    }
    return { kind: 'map', entries, mark: node?.kind === 'map' ? node.mark : segment.mark };
  }
}

/** Whether two scalars mean the same, also as paths. */
function isSame(before: RecipeNode | undefined, after: ScalarNode | ListNode): boolean {
  if (after.kind === 'list') return false;
  const { value, directory } = after;
  return before?.kind === 'scalar' && before.value === value && before.directory === directory;
}

function asMap(node: RecipeNode | undefined, otherwise: MapNode): MapNode {
  return node?.kind === 'map' ? node : otherwise;
}

type VariableType = 'text' | 'number' | 'boolean' | 'size' | 'any';

const describeType: Record<Exclude<VariableType, 'text' | 'any'>, string> = {
  number: 'a number',
  boolean: 'true or false',
  size: 'a size such as 4MiB',
};

function typeOf({ value }: ScalarNode): VariableType {
  if (typeof value === 'number') return 'number';
  if (typeof value === 'boolean') return 'boolean';
  // What is made of other variables has the type that they have.
  if (value === null || value.includes('${')) return 'any';
  return parseSize(value) === undefined ? 'text' : 'size';
}

function typeFits(type: 'number' | 'boolean' | 'size', { value }: ScalarNode): boolean {
  if (type === 'size')
    return (typeof value === 'string' || typeof value === 'number') && parseSize(value) !== undefined;
  return typeof value === type;
}
