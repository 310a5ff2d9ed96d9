import { nearestWord } from '../../images/suggestion.js';
import type { Faults } from './faults.js';
import type { MapEntry, MapNode, RecipeNode, ScalarNode, UsedVariable } from './recipe-node.js';
import type { Mark } from './recipe-text.js';
import { VARIABLE_NAME } from './scalars.js';
import { RECIPE_KEYS } from './schema.js';

/** `$${` is the text `${`; `${name}` a variable; any other `${` a slip. */
const reference = /\$\$\{|\$\{([^{}\s]*)\}|\$\{/g;

/** Length of all texts together once their variables are in: a variable made of variables can't fill the memory. */
const EXPANDED_MAX = 4 * 1024 * 1024;

/** Keys that are read before there are variables, and the variables themselves. */
const withoutVariables = new Set(['recipe', 'extends', 'variables']);

interface Substituted {
  readonly recipe: MapNode;
  /** Values that could not be made: a fault of them is noted already. */
  readonly broken: Set<RecipeNode>;
}

/**
 * Puts the variables in: a value that is only `${name}` becomes the variable's value with its type, and refers to
 * the folder of the file that gives it; in a longer text the variable's text is inserted. Faults are noted.
 */
export function substituteVariables(recipe: MapNode, faults: Faults): Substituted {
  const substitution = new Substitution(recipe.entries.get('variables')?.value, faults);
  const entries = new Map<string, MapEntry>();
  for (const [name, entry] of recipe.entries) {
    const isFixed = withoutVariables.has(name);
    entries.set(name, isFixed ? entry : { key: entry.key, value: substitution.substitute(entry.value) });
  }
  substitution.resolveAll();
  substitution.noteUnused();
  return { recipe: { ...recipe, entries }, broken: substitution.broken };
}

/** The values that variables would have to be put into. */
export function valuesWithVariables(node: RecipeNode, found = new Set<RecipeNode>()): Set<RecipeNode> {
  if (node.kind === 'list') for (const item of node.items) valuesWithVariables(item, found);
  else if (node.kind === 'map')
    for (const { value } of node.entries.values()) valuesWithVariables(value, found);
  else if (typeof node.value === 'string' && node.value.includes('${')) found.add(node);
  return found;
}

class Substitution {
  readonly broken = new Set<RecipeNode>();
  private readonly definitions: ReadonlyMap<string, MapEntry>;
  /** Undefined stands for a variable that can't be resolved, which is noted. */
  private readonly resolved = new Map<string, ScalarNode | undefined>();
  private readonly resolving: string[] = [];
  private readonly used = new Set<string>();
  private expanded = 0;

  constructor(
    variables: RecipeNode | undefined,
    private readonly faults: Faults,
  ) {
    this.definitions = variables?.kind === 'map' ? variables.entries : new Map();
  }

  /** Also what nothing refers to has to be right. */
  resolveAll(): void {
    for (const name of this.definitions.keys()) this.resolve(name);
  }

  /**
   * A variable that the recipe itself or the command line gives and nothing uses is probably misspelt. Those of an
   * extended recipe may be there for others.
   */
  noteUnused(): void {
    for (const [name, { key }] of this.definitions) {
      const isOwn = key.text.isArgument || key.text === this.faults.chain[0];
      if (this.used.has(name) || !isOwn || !VARIABLE_NAME.test(name) || RECIPE_KEYS.includes(name)) continue;
      const near = nearestWord(
        name,
        [...this.definitions.keys()].filter((other) => other !== name),
      );
      this.faults.add(key, `the variable "${name}" is used nowhere`, {
        hint: near === undefined ? `Use it as \${${name}}, or take it out.` : `Did you mean "${near}"?`,
      });
    }
  }

  substitute(node: RecipeNode): RecipeNode {
    if (node.kind === 'scalar') {
      const made = this.expand(node);
      if (made !== undefined) return made;
      const broken = { ...node };
      this.broken.add(broken);
      return broken;
    }
    if (node.kind === 'list') return { ...node, items: node.items.map((item) => this.substitute(item)) };
    const entries = new Map<string, MapEntry>();
    for (const [name, { key, value }] of node.entries)
      entries.set(name, { key, value: this.substitute(value) });
    return { ...node, entries };
  }

  /** A scalar with its variables put in; undefined when that can't be done, which is noted. */
  private expand(node: ScalarNode): ScalarNode | undefined {
    const { value: text } = node;
    if (typeof text !== 'string' || !text.includes('${')) return node;
    const used: UsedVariable[] = [];
    const pieces: string[] = [];
    const places = placesOf(node);
    let isSound = true;
    let end = 0;
    for (const [index, match] of [...text.matchAll(reference)].entries()) {
      pieces.push(text.slice(end, match.index));
      end = match.index + match[0].length;
      if (match[0] === '$${') {
        pieces.push('${');
        continue;
      }
      const variable = this.lookUp(match[1], match[0], () => places()[index] ?? node.mark);
      if (variable === undefined) isSound = false;
      else if (match[0] === text) return { ...node, ...inheritedFrom(variable, match[1]) };
      else {
        used.push({ name: match[1] ?? '', value: variable });
        pieces.push(textOf(variable));
        if (!this.count(textOf(variable).length, node)) return undefined;
      }
    }
    if (!isSound) return undefined;
    pieces.push(text.slice(end));
    const value = pieces.join('');
    const [first] = used;
    // A path that begins with a variable is one of the file that gives the variable.
    const begins = first !== undefined && text.startsWith(`\${${first.name}}`);
    return {
      ...node,
      value,
      source: value,
      variables: used,
      ...(begins ? { directory: first.value.directory } : {}),
    };
  }

  private count(length: number, node: ScalarNode): boolean {
    this.expanded += length;
    if (this.expanded <= EXPANDED_MAX) return true;
    this.faults.add(
      node.mark,
      `texts grow beyond ${EXPANDED_MAX / 1024 ** 2} MiB with their variables put in`,
    );
    return false;
  }

  private lookUp(name: string | undefined, written: string, place: () => Mark): ScalarNode | undefined {
    const hint = `Write $${written} for the text ${written} itself.`;
    if (name !== undefined) this.used.add(name);
    if (name === undefined || !VARIABLE_NAME.test(name)) {
      this.faults.add(place(), `a variable is written \${name}, its name of letters, digits and _`, { hint });
      return undefined;
    }
    if (!this.definitions.has(name)) {
      // What is not shown needs no advice: many words would be compared with many.
      const near = this.faults.isFull ? undefined : nearestWord(name, [...this.definitions.keys()]);
      this.faults.add(place(), `there is no variable "${name}"`, {
        hint: near === undefined ? hint : `Did you mean "${near}"? ${hint}`,
      });
      return undefined;
    }
    const started = this.resolving.indexOf(name);
    if (started < 0) return this.resolve(name);
    const circle = [...this.resolving.slice(started), name].join(' -> ');
    this.faults.add(place(), `variables go round in a circle: ${circle}`);
    return undefined;
  }

  private resolve(name: string): ScalarNode | undefined {
    if (this.resolved.has(name)) return this.resolved.get(name);
    const definition = this.definitions.get(name)?.value;
    // That a variable is no map or list is said when the shape of the recipe is checked.
    if (definition?.kind !== 'scalar') return undefined;
    this.resolving.push(name);
    const value = this.resolving.length > RESOLVING_MAX ? this.tooDeep(definition) : this.expand(definition);
    this.resolving.pop();
    this.resolved.set(name, value);
    return value;
  }

  private tooDeep(definition: ScalarNode): undefined {
    this.faults.add(definition.mark, `more than ${RESOLVING_MAX} variables that refer to each other`);
    return undefined;
  }
}

const RESOLVING_MAX = 100;

function inheritedFrom(variable: ScalarNode, name: string | undefined): Partial<ScalarNode> {
  const { value, source, directory } = variable;
  return { value, source, directory, variables: [{ name: name ?? '', value: variable }] };
}

/** A variable inside of a longer text: as it was written. */
function textOf({ value, source }: ScalarNode): string {
  return typeof value === 'string' ? value : source;
}

/**
 * Where the references of a text stand: in the source as far as it is written there as it is, else the text as a
 * whole. Looked for once, and only when there is a fault.
 */
function placesOf({ mark, value }: ScalarNode): () => readonly Mark[] {
  let places: readonly Mark[] | undefined;
  return () => {
    if (places !== undefined) return places;
    const source = mark.text.text.slice(mark.start, mark.end);
    const written = [...source.matchAll(reference)];
    places = [...String(value).matchAll(reference)].map((match, index) => {
      const found = written[index];
      if (found === undefined || found[0] !== match[0]) return mark;
      const start = mark.start + found.index;
      return { text: mark.text, start, end: start + found[0].length };
    });
    return places;
  };
}
