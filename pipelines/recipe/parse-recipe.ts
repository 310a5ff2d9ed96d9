import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  parseDocument,
  type Range,
  type YAMLMap,
} from 'yaml';
import type { Faults } from './faults.js';
import type { MapEntry, MapNode, RecipeNode, ScalarNode } from './recipe-node.js';
import { type Mark, type RecipeText, startOf } from './recipe-text.js';

/** Deeper than any recipe is. */
const DEPTH_MAX = 32;
/** Values of a file with its aliases followed: an alias of an alias of an alias doesn't fill the memory. */
const VALUES_MAX = 50_000;
/** One slip in YAML makes the parser stumble on: the first messages are the ones that help. */
const SYNTAX_FAULTS_MAX = 10;

/**
 * Parses a recipe file: one YAML 1.2 document that is a map, without custom tags. Returns undefined when anything is
 * wrong, which is noted.
 */
export function parseRecipe(text: RecipeText, faults: Faults): MapNode | undefined {
  const before = faults.count;
  const document = parseDocument(text.text, {
    // Duplicates and aliases are seen to below: the library's own ways compare and resolve in quadratic time.
    uniqueKeys: false,
    prettyErrors: false,
    strict: true,
  });
  if (noteSyntaxFaults(document, text, faults)) return undefined;
  if (document.contents === null) {
    faults.add(startOf(text), 'the recipe is empty', { hint: 'It starts with: recipe: 1' });
    return undefined;
  }
  const root = new Converter(text, faults).convert(document.contents as ParsedNode, 0);
  if (root !== undefined && root.kind !== 'map') {
    faults.add(
      root.mark,
      `a recipe is a map of keys and values, not ${root.kind === 'list' ? 'a list' : 'a single value'}`,
      {
        hint: 'It starts with: recipe: 1',
      },
    );
  }
  return faults.count > before || root?.kind !== 'map' ? undefined : root;
}

/** Parses one quoted or plain scalar of YAML; undefined when it is anything else. */
export function parseScalar(text: string): { value: ScalarNode['value'] } | undefined {
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent' });
  const { contents } = document;
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  if (contents === null) return { value: null };
  return isScalar(contents) ? { value: scalarValue(contents.value, text) } : undefined;
}

/** A value of a list, and where it stands in the text. */
export interface ParsedItem {
  readonly value: ScalarNode['value'];
  readonly source: string;
  readonly start: number;
  readonly end: number;
}

/** Parses a list of scalars such as `[a, b]`; undefined when it is anything else. */
export function parseScalarList(text: string): ParsedItem[] | undefined {
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent' });
  const { contents } = document;
  if (document.errors.length > 0 || document.warnings.length > 0 || !isSeq(contents)) return undefined;
  const items: ParsedItem[] = [];
  for (const item of contents.items) {
    if (!isScalar(item) || item.range === null || item.range === undefined) return undefined;
    const [start, end] = item.range;
    const source = text.slice(start, end);
    items.push({ value: scalarValue(item.value, source), source, start, end });
  }
  return items;
}

/** Notes what the parser found. Returns whether what it made of the text is not worth a further look. */
function noteSyntaxFaults(document: Document, text: RecipeText, faults: Faults): boolean {
  let isBroken = false;
  for (const { code, message, pos } of [...document.errors, ...document.warnings].slice(
    0,
    SYNTAX_FAULTS_MAX,
  )) {
    const mark = beforeEnd({ text, start: pos[0], end: pos[1] });
    const indented = code === 'BLOCK_AS_IMPLICIT_KEY' ? wordBelow(text, pos[0]) : undefined;
    // The same said of the line above.
    if (code === 'MULTILINE_IMPLICIT_KEY' && isBroken) continue;
    if (indented !== undefined) {
      isBroken = true;
      faults.add(indented, 'indented more than the line above, which has a value already', {
        hint: 'Begin it below the first letter of that line.',
      });
    } else if (code === 'TAG_RESOLVE_FAILED') {
      faults.add(mark, 'a tag that recipes do not know', { hint: 'Take the tag away.' });
    } else if (code === 'MULTIPLE_DOCS') {
      faults.add(
        { ...mark, end: mark.start + 3 },
        'a recipe is one YAML document, but a second one starts here',
      );
    } else {
      isBroken = true;
      const isTooDeep = message.includes('call stack');
      // Comments and empty lines belong to what stands below them.
      const isAbove = code === 'BAD_INDENT' && /[#\s]/.test(text.text.charAt(pos[0]));
      const place = (isAbove ? wordBelow(text, pos[0]) : undefined) ?? mark;
      faults.add(place, isTooDeep ? 'nested too deeply' : `not YAML: ${sentenceOf(message)}`);
      if (isTooDeep) return true;
    }
  }
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit === true && yaml.version !== '1.2') {
    faults.add(startOf(text), `a recipe is YAML 1.2, not ${yaml.version}`, {
      hint: 'Take the %YAML line away.',
    });
    return true;
  }
  return isBroken;
}

/** The first word of the next line that has one. */
function wordBelow(text: RecipeText, position: number): Mark | undefined {
  const pattern = /\n[ \t]*([^\s#][^\s]*)/g;
  pattern.lastIndex = position;
  const match = pattern.exec(text.text);
  const word = match?.[1];
  if (match === null || word === undefined) return undefined;
  const start = match.index + match[0].length - word.length;
  return { text, start, end: start + word.length };
}

/** What is missing at the end of a text is shown behind its last word, not in an empty line after it. */
function beforeEnd(mark: Mark): Mark {
  const { text } = mark.text;
  if (text.slice(mark.start).trim() !== '') return mark;
  const end = text.trimEnd().length;
  return end === 0 ? mark : { ...mark, start: end, end };
}

/** The library's message as the end of a sentence of ours. */
function sentenceOf(message: string): string {
  const [first = ''] = message.split('\n');
  return `${first.charAt(0).toLowerCase()}${first.slice(1)}`.replace(/[.:\s]+$/, '');
}

class Converter {
  private values = 0;
  /** The latest node of each anchor so far: that is the one an alias means. */
  private readonly anchors = new Map<string, ParsedNode>();
  /** What is being converted: an alias to it would never end. */
  private readonly open = new Set<ParsedNode>();
  private isFull = false;

  constructor(
    private readonly text: RecipeText,
    private readonly faults: Faults,
  ) {}

  /** Returns undefined for what is wrong, which is noted. */
  convert(node: ParsedNode, depth: number): RecipeNode | undefined {
    const mark = this.mark(node.range);
    this.values += 1;
    if (this.values > VALUES_MAX) {
      if (!this.isFull) this.faults.add(mark, `more than ${VALUES_MAX} values, with aliases followed`);
      this.isFull = true;
      return undefined;
    }
    if (depth > DEPTH_MAX) {
      this.faults.add({ ...mark, end: mark.start + 1 }, `nested more than ${DEPTH_MAX} levels deep`);
      return undefined;
    }
    if (isAlias(node)) return this.follow(node.source, mark, depth);
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    if (isScalar(node)) return this.scalar(node, mark);
    this.open.add(node);
    try {
      if (isMap(node)) return this.map(node as YAMLMap.Parsed, mark, depth);
      if (isSeq(node)) {
        const items = node.items.map((item) => this.convert(item as ParsedNode, depth + 1));
        return { kind: 'list', items: items.filter((item) => item !== undefined), mark };
      }
    } finally {
      this.open.delete(node);
    }
    this.faults.add(mark, 'neither a value nor a list nor a map');
    return undefined;
  }

  private scalar(node: ParsedNode, mark: Mark): ScalarNode | undefined {
    if (!isScalar(node)) return undefined;
    const source = node.source ?? '';
    const value = scalarValue(node.value, source);
    if (typeof value === 'string' && value.includes('\0')) this.faults.add(mark, 'a NUL character in a text');
    return { kind: 'scalar', value, source, mark, directory: this.text.directory };
  }

  private follow(anchor: string, mark: Mark, depth: number): RecipeNode | undefined {
    const target = this.anchors.get(anchor);
    if (target === undefined) this.faults.add(mark, `there is no anchor &${anchor} before this`);
    else if (this.open.has(target)) this.faults.add(mark, `*${anchor} stands inside of what it means`);
    else return this.convert(target, depth);
    return undefined;
  }

  private map(node: YAMLMap.Parsed, mark: Mark, depth: number): MapNode {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of node.items) {
      if (!isScalar(key) || key.value === null) {
        this.faults.add(this.mark(key.range ?? node.range), 'a key must be a word');
        continue;
      }
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      const place = this.mark(key.range);
      const earlier = entries.get(name);
      if (earlier !== undefined) {
        const { line } = this.text.locate(earlier.key.start);
        this.faults.add(place, `key "${name}" is there already, in line ${line}`);
        continue;
      }
      if (key.anchor !== undefined) this.anchors.set(key.anchor, key);
      const converted = value === null ? this.nothing(place) : this.convert(value as ParsedNode, depth + 1);
      if (converted !== undefined) entries.set(name, { key: place, value: converted });
    }
    return { kind: 'map', entries, mark };
  }

  /** A key without a value, as `{name}` has. */
  private nothing(key: Mark): ScalarNode {
    return { kind: 'scalar', value: null, source: '', mark: key, directory: this.text.directory };
  }

  /** Without the blanks and comments that follow a value. */
  private mark([start, end]: Range): Mark {
    return { text: this.text, start, end: Math.max(start, end) };
  }
}

function scalarValue(value: unknown, source: string): ScalarNode['value'] {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  return typeof value === 'number' ? value : source;
}
