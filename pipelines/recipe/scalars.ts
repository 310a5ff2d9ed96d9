import { z } from 'zod';

/** What belongs at a place of a recipe, for messages. */
interface Expectation {
  /** The end of "… belongs here". */
  readonly what: string;
  /** What to do about a wrong value. */
  readonly hint?: (value: unknown) => string | undefined;
  /** How the key is written, for a message that it is missing. */
  readonly example?: string;
}

/** The expectation of each schema that has one. */
export const expectations = z.registry<{ expectation: Expectation }>();

/** A schema with what messages say of it. */
export function expecting<T extends z.ZodType>(
  schema: T,
  what: string,
  more: Omit<Expectation, 'what'> = {},
): T {
  expectations.add(schema, { expectation: { what, ...more } });
  return schema;
}

/** A schema as that of a key: what the key is for, and how it is written, for a message that it is missing. */
export function key<T extends z.ZodType>(schema: T, description: string, example?: string): T {
  const described = schema.describe(description);
  const { expectation } = expectations.get(schema) ?? { expectation: { what: 'a text' } };
  return expecting(described, expectation.what, {
    ...expectation,
    ...(example === undefined ? {} : { example }),
  });
}

/** Names of variables. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};
const SIZE = /^(\d{1,16}) ?(KiB|MiB|GiB|TiB)?$/;

/** Bytes of a size such as `4MiB`, `2GiB`, `4096`; undefined when it is none, or not a safe integer. */
export function parseSize(size: string | number): number | undefined {
  const match = SIZE.exec(String(size));
  const bytes = match === null ? Number.NaN : Number(match[1]) * (unitBytes[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size in the largest unit that gives a whole number, as recipes write it. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const one = unitBytes[unit] ?? 1;
    if (bytes >= one && bytes % one === 0) return `${bytes / one}${unit}`;
  }
  return String(bytes);
}

const unitNear: Readonly<Record<string, string>> = { k: 'KiB', m: 'MiB', g: 'GiB', t: 'TiB' };

function sizeHint(value: unknown): string {
  const match = /^\s*(\d+)\s*([kmgt])i?b?$/i.exec(String(value));
  const unit = unitNear[match?.[2]?.toLowerCase() ?? ''];
  if (match !== null && unit !== undefined) return `Did you mean ${match[1]}${unit}?`;
  return 'Sizes are written 4096, 4MiB or 2GiB; the units are KiB, MiB, GiB and TiB.';
}

/** Bytes, written as a number or with a binary unit; a multiple of `unit`. */
export function sizeBetween(least: number, most: number, unit: number, example: string) {
  const schema = z.union([z.int().nonnegative(), z.string().regex(SIZE)]).refine(
    (value) => {
      const bytes = parseSize(value);
      return bytes !== undefined && bytes >= least && bytes <= most && bytes % unit === 0;
    },
    {
      error: `it must be from ${formatSize(least)} to ${formatSize(most)}, in steps of ${formatSize(unit)}`,
    },
  );
  return expecting(schema, `a size such as ${example}`, { hint: sizeHint });
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const DURATION = /^(\d{1,9}) ?(s|min|h)$/;

/** Seconds of a duration such as `90s`, `30min`, `2h`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match === null ? undefined : Number(match[1]) * (unitSeconds[match[2] ?? ''] ?? Number.NaN);
}

const DURATION_MAX = 7 * 24 * 3600;

/** A time with its unit: a bare number would leave open which. */
export function duration() {
  const schema = z
    .string()
    .regex(DURATION)
    .refine(
      (value) => {
        const seconds = parseDuration(value);
        return seconds !== undefined && seconds >= 1 && seconds <= DURATION_MAX;
      },
      { error: 'it must be from 1s to 168h' },
    );
  return expecting(schema, 'a time such as 90s or 30min', {
    hint: (value) =>
      /^\d+$/.test(String(value)) ? `Add the unit: ${value}s or ${value}min.` : 'The units are s, min and h.',
  });
}

/** A whole number in a range. */
export function wholeNumber(least: number, most: number) {
  return expecting(z.int().min(least).max(most), `a whole number from ${least} to ${most}`);
}

/** Like YAML 1.1: the words of people who configure systems, not only true and false. */
export function onOff() {
  return expecting(z.union([z.boolean(), z.enum(['on', 'off', 'yes', 'no'])]), 'on or off');
}

/** What {@link onOff} took, as a boolean. */
export function isOn(value: boolean | string): boolean {
  return value === true || value === 'on' || value === 'yes';
}

/** A text that follows a pattern. */
export function textLike(pattern: RegExp, what: string, more: Omit<Expectation, 'what'> = {}) {
  return expecting(z.string().regex(pattern), what, more);
}

/** One of some words. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return expecting(z.enum(words), listed(words));
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** SHA-256 in hexadecimal. */
export function sha256() {
  return textLike(/^[0-9A-Fa-f]{64}$/, 'a SHA-256 digest of 64 hexadecimal digits', {
    hint: (value) => (typeof value === 'string' ? `This has ${value.length} characters.` : undefined),
  });
}

/** Permission bits in octal, as text: as a number YAML would read them in decimal. */
export function mode() {
  return textLike(/^0?[0-7]{3,4}$/, "a mode in quotes such as '0644'", {
    hint: (value) =>
      typeof value === 'number' ? 'Without quotes YAML takes a mode for a decimal number.' : undefined,
  });
}

const NAME_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4095;

function isPathOfFittingLength(path: string): boolean {
  return (
    Buffer.byteLength(path) <= PATH_BYTES_MAX &&
    path.split('/').every((name) => Buffer.byteLength(name) <= NAME_BYTES_MAX)
  );
}

const tooLong = {
  error: `it has a name of more than ${NAME_BYTES_MAX} bytes, or more than ${PATH_BYTES_MAX} altogether`,
};

/** An absolute path inside of the root. `/` itself only where that makes sense. */
export function innerPath({ root = false } = {}) {
  const pattern = root
    ? /^\/(?:(?!\.\.?(?:\/|$))[^/]+(?:\/(?!\.\.?(?:\/|$))[^/]+)*)?$/
    : /^\/(?!\.\.?(?:\/|$))[^/]+(?:\/(?!\.\.?(?:\/|$))[^/]+)*$/;
  return expecting(
    z.string().regex(pattern).refine(isPathOfFittingLength, tooLong),
    `an absolute path in the root without . and .., such as ${root ? '/root/dbdemo' : '/etc/motd'}`,
  );
}

/** A relative path below a directory of the root. */
export function innerRelativePath(example: string, hint: (value: unknown) => string | undefined) {
  return expecting(
    z
      .string()
      .regex(/^(?!\.\.?(?:\/|$))[^/]+(?:\/(?!\.\.?(?:\/|$))[^/]+)*$/)
      .refine(isPathOfFittingLength, tooLong),
    `a relative path without . and .., such as ${example}`,
    { hint },
  );
}

const LOCATION = /^(?:(?:https?|file):\/\/\S+|(?![A-Za-z][A-Za-z0-9+.-]*:\/\/)[\s\S]+)$/;
const WEB_LOCATION = /^(?:https?|file):\/\/\S+$/;

/** Whether a location is a URL, not a path. */
export function isUrl(location: string): boolean {
  return WEB_LOCATION.test(location);
}

function isSoundLocation(location: string): boolean {
  return !isUrl(location) || URL.canParse(location);
}

/** A path, or a URL of what can be fetched. */
export function location() {
  return expecting(
    z.string().regex(LOCATION).refine(isSoundLocation, { error: 'it is no URL that can be fetched' }),
    'a path, or an http, https or file URL',
  );
}

/** A URL of what can be fetched. */
export function url() {
  return expecting(
    z.string().regex(WEB_LOCATION).refine(isSoundLocation, { error: 'it is no URL that can be fetched' }),
    'an http, https or file URL',
  );
}

/** A path of a directory on this host. */
export function hostDirectory() {
  return expecting(
    z.string().regex(/^(?![A-Za-z][A-Za-z0-9+.-]*:\/\/)[\s\S]+$/),
    'the path of a directory on this host',
  );
}
