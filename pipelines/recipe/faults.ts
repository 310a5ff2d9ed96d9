import { type Diagnostic, DiagnosticError, printable } from '../../images/diagnostic.js';
import type { Mark, RecipeText } from './recipe-text.js';

/** A further place that a fault has to do with. */
export interface RelatedPlace {
  readonly mark: Mark;
  /** What is there, such as `"tar" is here`. */
  readonly what: string;
}

export interface FaultDetails {
  readonly hint?: string | undefined;
  readonly related?: readonly RelatedPlace[];
}

/** More faults than anyone reads: a hostile file has no more of them shown. */
const FAULTS_MAX = 100;

/** A name may be as long as the file: so much of a sentence is shown. */
const SENTENCE_MAX = 600;

/** Gathers all that is wrong with a recipe, each with its place, so that one run shows everything. */
export class Faults {
  /** The recipe file, then what it extends, outwards. */
  readonly chain: RecipeText[] = [];
  /** The arguments of --set, in their order. */
  readonly arguments: RecipeText[] = [];
  private readonly found = new Map<string, { readonly mark: Mark; readonly diagnostic: Diagnostic }>();
  private dropped = 0;

  get count(): number {
    return this.found.size;
  }

  /** Whether no more faults are shown, only counted. */
  get isFull(): boolean {
    return this.found.size >= FAULTS_MAX;
  }

  add(mark: Mark, message: string, details: FaultDetails = {}): void {
    const key = `${this.rank(mark.text)}:${mark.start}:${message}`;
    if (this.found.has(key)) return;
    if (this.isFull) this.dropped += 1;
    else this.found.set(key, { mark, diagnostic: this.diagnose(mark, message, details) });
  }

  /** A fault as what is thrown for it, with its excerpt and the chain of files. */
  diagnose(mark: Mark, message: string, { hint, related = [] }: FaultDetails = {}): Diagnostic {
    const lines = [...mark.text.excerpt(mark)];
    for (const place of related) lines.push(`${placeText(place.mark)}: ${readable(place.what)}`);
    const chain = this.chainText([mark, ...related.map((place) => place.mark)]);
    if (chain !== undefined) lines.push(chain);
    return {
      kind: 'recipe',
      message: readable(message),
      location: mark.text.locate(mark.start),
      excerpt: lines,
      ...(hint === undefined ? {} : { hint: readable(hint) }),
    };
  }

  /** Throws a DiagnosticError with everything noted so far, by file (the recipe first), line and column. */
  throwIfAny(): void {
    if (this.found.size === 0) return;
    const sorted = [...this.found.values()].sort(
      (a, b) => this.rank(a.mark.text) - this.rank(b.mark.text) || a.mark.start - b.mark.start,
    );
    const diagnostics = sorted.map(({ diagnostic }) => diagnostic);
    if (this.dropped > 0) {
      diagnostics.push({ kind: 'recipe', message: `${this.dropped} more faults, not shown` });
    }
    throw new DiagnosticError(diagnostics);
  }

  /** Arguments come after all files. */
  private rank(text: RecipeText): number {
    const index = this.chain.indexOf(text);
    return index >= 0 ? index : this.chain.length + this.arguments.indexOf(text);
  }

  private chainText(marks: readonly Mark[]): string | undefined {
    const farthest = Math.max(...marks.map(({ text }) => this.chain.indexOf(text)));
    if (farthest < 1) return undefined;
    const names = this.chain.slice(0, farthest + 1).map(({ name }) => printable(name));
    return `in ${names.reverse().join(', extended by ')}`;
  }
}

/** A sentence as a terminal may have it, however long and whatever the words of the recipe in it are. */
function readable(sentence: string): string {
  const cut =
    sentence.length > SENTENCE_MAX ? `${sentence.slice(0, SENTENCE_MAX).replace(/\p{Cs}$/u, '')}…` : sentence;
  return printable(cut);
}

function placeText(mark: Mark): string {
  const { file, line, column } = mark.text.locate(mark.start);
  return [printable(file ?? ''), line, column].filter((part) => part !== undefined).join(':');
}
