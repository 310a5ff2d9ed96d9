import { dirname, relative } from 'node:path';
import type { Location } from '../../images/diagnostic.js';

/** A piece of a text, as offsets in UTF-16 units. */
export interface Mark {
  readonly text: RecipeText;
  readonly start: number;
  readonly end: number;
}

/** Longest part of a source line that an excerpt shows. */
const EXCERPT_WIDTH = 120;
/** What is shown before the fault when a line is cut. */
const EXCERPT_LEAD = 50;

/** Characters that take two columns on a terminal. */
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u;
const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** A text that values of a recipe come from: a recipe file, or an argument of `--set`. */
export class RecipeText {
  private readonly lineStarts: readonly number[];

  private constructor(
    /** As messages call it. */
    readonly name: string,
    readonly text: string,
    /** The folder that relative paths in it refer to. */
    readonly directory: string,
    /** The absolute path of a file; undefined for an argument. */
    readonly path: string | undefined,
  ) {
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.lineStarts = starts;
  }

  static ofFile(path: string, name: string, text: string): RecipeText {
    return new RecipeText(name, text, dirname(path), path);
  }

  static ofArgument(argument: string, workingDirectory: string): RecipeText {
    return new RecipeText('--set', argument, workingDirectory, undefined);
  }

  get isArgument(): boolean {
    return this.path === undefined;
  }

  /** File, line and column of an offset; an argument has no lines. */
  locate(offset: number): Location {
    if (this.isArgument) return { file: this.name };
    const line = this.lineOf(offset);
    return { file: this.name, line: line + 1, column: offset - (this.lineStarts[line] ?? 0) + 1 };
  }

  /** The line that a mark starts in, and a caret below what is marked of it; safe for a terminal. */
  excerpt({ start, end }: Mark): readonly string[] {
    const line = this.lineOf(start);
    const lineStart = this.lineStarts[line] ?? 0;
    const lineEnd = (this.lineStarts[line + 1] ?? this.text.length + 1) - 1;
    const isCut = lineEnd - lineStart > EXCERPT_WIDTH && start - lineStart > EXCERPT_WIDTH - EXCERPT_LEAD;
    const from = isCut ? start - EXCERPT_LEAD : lineStart;
    const to = Math.min(lineEnd, from + EXCERPT_WIDTH);
    const prefix = this.isArgument ? '--set ' : '';
    const lead = `${prefix}${from > lineStart ? '…' : ''}${shown(this.text.slice(from, start))}`;
    const marked = shown(this.text.slice(start, Math.max(start, Math.min(end, to))));
    const rest = `${shown(this.text.slice(start, to))}${to < lineEnd ? '…' : ''}`;
    return [`${lead}${rest}`, `${blank(lead)}${'^'.repeat(Math.max(1, widthOf(marked)))}`];
  }

  private lineOf(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The first character of a text: where a fault of the text as a whole is shown. */
export function startOf(text: RecipeText): Mark {
  return { text, start: 0, end: 0 };
}

/** A path as messages show it: relative to the working directory where that is shorter. */
export function shortPath(path: string, workingDirectory: string): string {
  const nearby = relative(workingDirectory, path);
  return nearby !== '' && nearby.length < path.length ? nearby : path;
}

/** Text of a recipe as a terminal may have it: what could steer one becomes one replacement character each. */
function shown(text: string): string {
  return text.replace(/\r$/, '').replace(/(?!\t)[\p{Cc}\p{Cs}\u2028\u2029]/gu, '\ufffd');
}

/** Blanks as wide as a text; tabs stay tabs, so that a caret stands right whatever their width. */
function blank(text: string): string {
  return [...text].map((character) => (character === '\t' ? '\t' : ' '.repeat(widthOf(character)))).join('');
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += zeroWidth.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}
