import { usageError } from '../../images/diagnostic.js';

const units: Record<string, number> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

/** A size such as `4MiB`, `2GiB` or a number of bytes. Throws a DiagnosticError that names the option. */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+)\s*(|KiB|MiB|GiB|TiB)$/.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * units[match[2] ?? '']!;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw usageError(`${option}: "${text}" is no size`, 'Sizes are written 4096, 4MiB or 2GiB.');
}

/** A whole number from 0 on. Throws a DiagnosticError that names the option. */
export function parseInteger(text: string, option: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw usageError(`${option}: "${text}" is no whole number`);
}

/** An age such as `90min`, `12h` or `30d` in milliseconds. Throws a DiagnosticError that names the option. */
export function parseAge(text: string, option: string): number {
  const match = /^(\d{1,6})\s*(s|min|h|d)$/.exec(text);
  const seconds = { s: 1, min: 60, h: 3600, d: 86_400 }[match?.[2] ?? ''];
  if (match !== null && seconds !== undefined) return Number(match[1]) * seconds * 1000;
  throw usageError(`${option}: "${text}" is no age`, 'Ages are written 90min, 12h or 30d.');
}

/** SOURCE_DATE_EPOCH where it is set: seconds since 1970. */
export function sourceDateEpochIfSet(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  return text === undefined || text === '' ? undefined : parseInteger(text, 'SOURCE_DATE_EPOCH');
}

/** The one clock: seconds since 1970 from SOURCE_DATE_EPOCH, else 0, so that the same input gives the same bytes. */
export function sourceDateEpoch(): number {
  return sourceDateEpochIfSet() ?? 0;
}
