import type { ByteString } from '../../images/bytes/byte-string.js';

/** An entry of an inittab: `id:runlevels:action:process` (inittab(5)). */
interface InittabEntry {
  readonly id: string;
  readonly process: ByteString;
  /** Whether init sees it; otherwise it is commented out. */
  readonly active: boolean;
}

export interface InittabLine {
  /** From 1. */
  readonly number: number;
  /** Without its line end. */
  readonly text: ByteString;
  /** The line end as it is: `\n`, `\r\n`, or nothing at the end of the file. */
  readonly end: string;
  readonly entry?: InittabEntry;
  /** Whether the line says "For UML". */
  readonly marker: boolean;
  /** Whether a "For UML" marker speaks of this line. */
  readonly marked: boolean;
}

const MARKER = /\bfor[ \t]+uml\b/i;
/**
 * Fields as init takes them. In a comment no blanks are allowed before the process, so that prose with colons is not
 * taken for an entry.
 */
const ACTIVE = /^[ \t]*([^#:\s][^:]*):[^:]*:[^:]*:(.*)$/;
const COMMENTED = /^[ \t]*#[# \t]*([^\s:]{1,14}):([0-9A-Za-z]*):([a-z]+):[ \t]*(\S.*)$/;

/**
 * The lines of an inittab, and which of them the "For UML" markers speak of (HOWTO 5.6): those below a marker, up to
 * the next blank line, the next marker, or the next comment that follows an entry. Blank lines and further comments
 * between a marker and its first entry do not end it. A marker at the end of an entry speaks of that entry too.
 */
export function inittabLines(text: ByteString): InittabLine[] {
  const lines: InittabLine[] = [];
  let scope: 'none' | 'begun' | 'in entries' = 'none';
  const parts = text.split('\n');
  for (const [index, whole] of parts.entries()) {
    const last = index === parts.length - 1;
    if (last && whole === '') break;
    const carriage = whole.endsWith('\r') ? '\r' : '';
    const line = carriage === '' ? whole : whole.slice(0, -1);
    const entry = entryOf(line);
    const marker = MARKER.test(line);
    const blank = line.trim() === '';
    if (marker) scope = entry === undefined ? 'begun' : 'in entries';
    else if (scope === 'begun' && entry !== undefined) scope = 'in entries';
    else if (scope === 'in entries' && (blank || entry === undefined)) scope = 'none';
    lines.push({
      number: index + 1,
      text: line,
      end: `${carriage}${last ? '' : '\n'}`,
      ...(entry === undefined ? {} : { entry }),
      marker,
      marked: entry !== undefined && scope === 'in entries',
    });
  }
  return lines;
}

function entryOf(line: ByteString): InittabEntry | undefined {
  const active = ACTIVE.exec(line);
  if (active !== null) return { id: active[1] ?? '', process: active[2] ?? '', active: true };
  const commented = COMMENTED.exec(line);
  return commented === null
    ? undefined
    : { id: commented[1] ?? '', process: commented[4] ?? '', active: false };
}

/** The line so that init does not see it. */
export function commentedOut({ text }: InittabLine): ByteString {
  return `#${text}`;
}

/**
 * The line so that init sees it. A marker at its end becomes a line of its own before it: init knows no comments
 * there and would hand it to the process.
 */
export function uncommented({ text, end }: InittabLine): ByteString {
  const entry = text.replace(/^[ \t]*#[# \t]*/, '');
  const marker = entry.search(MARKER);
  const hash = marker < 0 ? -1 : entry.lastIndexOf('#', marker);
  if (hash < 0) return entry;
  return `${entry.slice(hash)}${end.startsWith('\r') ? '\r' : ''}\n${entry.slice(0, hash).trimEnd()}`;
}
