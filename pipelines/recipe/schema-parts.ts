import { z } from 'zod';
import { expecting, key, sha256, textLike, url } from './scalars.js';

/** A map of these keys and no others. */
export function mapOf<T extends z.ZodRawShape>(shape: T) {
  return expecting(z.strictObject(shape), 'a map');
}

export function listOf<T extends z.ZodType>(item: T, most: number) {
  return expecting(z.array(item).max(most), `a list of at most ${most} entries`);
}

export const text = () => expecting(z.string(), 'a text');
/** A word that goes into the tools' configuration files as it is. */
export const word = (what: string) => textLike(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, what);
export const imageName = () =>
  textLike(/^(?!\.)[A-Za-z0-9_.+-]{1,255}$/, 'a plain file name such as root_fs');
/** Never an option of a program that gets it. */
export const argument = (what: string) => textLike(/^[^-\s][^\r\n]*$/, what);

export const digest = () =>
  key(
    sha256(),
    'SHA-256 of what is fetched or read. Without it the build warns, and prints the digest to pin.',
  ).optional();
export const mirrors = () =>
  key(listOf(url(), 16), 'Further URLs of the same bytes, tried in their order.').optional();
