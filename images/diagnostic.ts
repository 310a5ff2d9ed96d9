/**
 * The one shape of everything that can be wrong with a user's input: a recipe, an image, an archive, the host.
 * Modules throw a {@link DiagnosticError} where the fact is known; only the commands print it.
 */

/** Where a fault lies. Whichever fields are known are shown, in the order of this interface. */
export interface Location {
  /** The file, image or archive as the user named it. */
  readonly file?: string;
  /** 1-based line in a text file. */
  readonly line?: number;
  /** 1-based column in a text file. */
  readonly column?: number;
  /** Filesystem block number. */
  readonly block?: number;
  /** Byte offset in the file. */
  readonly offset?: number;
  /** Path inside the image or archive. */
  readonly path?: string;
}

/**
 * What kind of input is at fault. Exit codes derive from it (see `exitCodeOf`):
 * `usage` and `recipe` are 2, `interrupted` is 130, everything else is 1.
 */
export type DiagnosticKind = 'usage' | 'recipe' | 'image' | 'host' | 'interrupted';

export interface Diagnostic {
  readonly kind: DiagnosticKind;
  /** One sentence without a final full stop: what is wrong. */
  readonly message: string;
  readonly location?: Location;
  /** What the user can do about it. */
  readonly hint?: string;
  /** The source line and caret, or other lines shown below the message. */
  readonly excerpt?: readonly string[];
}

/** Carries one or more diagnostics up to the command that prints them. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: Diagnostic | readonly Diagnostic[], options?: ErrorOptions) {
    const list = Array.isArray(diagnostics)
      ? (diagnostics as readonly Diagnostic[])
      : [diagnostics as Diagnostic];
    super(list.map(formatDiagnostic).join('\n'), options);
    this.name = 'DiagnosticError';
    this.diagnostics = list;
  }
}

/** A fault in an image or archive: names the image and the place in it. */
export function imageError(location: Location, message: string, hint?: string): DiagnosticError {
  return new DiagnosticError({ kind: 'image', location, message, ...(hint === undefined ? {} : { hint }) });
}

/** A fault of the host: a missing tool, a full disk, a file that can't be read. */
export function hostError(message: string, hint?: string, location?: Location): DiagnosticError {
  return new DiagnosticError({
    kind: 'host',
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(location === undefined ? {} : { location }),
  });
}

/** Wrong use of a command. */
export function usageError(message: string, hint?: string): DiagnosticError {
  return new DiagnosticError({ kind: 'usage', message, ...(hint === undefined ? {} : { hint }) });
}

const escapedCharacters = /[\p{Cc}\p{Cs}\u2028\u2029]/gu;

/** Makes text from an image or archive safe for a terminal: control characters become `\xNN`. */
export function printable(text: string): string {
  return text.replace(escapedCharacters, (character) => {
    const code = character.charCodeAt(0);
    // Bytes that are not UTF-8 are held as lone surrogates U+DC80..U+DCFF (see byte-string.ts).
    const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
    return byte <= 0xff
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : `\\u${byte.toString(16).padStart(4, '0')}`;
  });
}

function formatLocation(location: Location): string {
  const parts: string[] = [];
  const position = [location.line, location.column].filter((part) => part !== undefined);
  if (location.file !== undefined) parts.push([printable(location.file), ...position].join(':'));
  if (location.block !== undefined) parts.push(`block ${location.block}`);
  if (location.offset !== undefined) parts.push(`byte ${location.offset}`);
  if (location.path !== undefined) {
    // Without a file outside, line and column are those of the file inside.
    parts.push([printable(location.path), ...(location.file === undefined ? position : [])].join(':'));
  }
  return parts.join(': ');
}

/** One diagnostic as text: `place: error: message`, then the excerpt and what to do, each on a line of its own. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const place = diagnostic.location === undefined ? '' : formatLocation(diagnostic.location);
  const lines = [`${place === '' ? '' : `${place}: `}error: ${printable(diagnostic.message)}`];
  for (const line of diagnostic.excerpt ?? []) lines.push(`  ${line}`);
  if (diagnostic.hint !== undefined) lines.push(`  ${diagnostic.hint}`);
  return lines.join('\n');
}
