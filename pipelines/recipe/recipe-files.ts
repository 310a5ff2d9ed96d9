import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { Faults } from './faults.js';
import { mergeOver, withoutNulls } from './merge.js';
import { parseRecipe } from './parse-recipe.js';
import { describeNode, type MapNode, type RecipeNode, topOf } from './recipe-node.js';
import { RecipeText, shortPath } from './recipe-text.js';
import { RECIPE_VERSION } from './schema.js';

/** Far more than any recipe has: reading a hostile file stays a matter of a second. */
const RECIPE_BYTES_MAX = 256 * 1024;
/** How many files a recipe may extend, one the other. */
const CHAIN_MAX = 16;

/**
 * Reads a recipe file and what it extends, and merges them. `name` is what messages call the file. When a file that
 * is extended can't be read, that is noted and the result is not whole. Throws a DiagnosticError of kind `recipe` when
 * the file itself can't be read.
 */
export function readRecipeFiles(
  path: string,
  name: string,
  workingDirectory: string,
  faults: Faults,
): { readonly root: MapNode; readonly isWhole: boolean } {
  const layers: MapNode[] = [];
  const identities = new Map<string, string>();
  let next: string | undefined = path;
  let isBroken = false;
  while (next !== undefined) {
    isBroken = true;
    const text = readText(
      next,
      layers.length === 0 ? name : shortPath(next, workingDirectory),
      faults,
      layers.at(-1),
    );
    if (text === undefined) break;
    identities.set(identityOf(next) ?? next, text.name);
    faults.chain.push(text);
    const layer = parseRecipe(text, faults);
    if (layer === undefined) break;
    layers.push(layer);
    noteEmptyKeys(layer, faults);
    checkVersion(layer, text, faults);
    const before = faults.count;
    next = extendedPath(layer, identities, faults);
    isBroken = faults.count > before;
  }
  const [outermost, ...inner] = layers.reverse();
  if (outermost === undefined) {
    faults.throwIfAny();
    throw new Error('a recipe without files');
  }
  return { root: inner.reduce(mergeOver, withoutNulls(outermost)), isWhole: !isBroken };
}

/** A key with nothing behind it would take away what the extended recipe says, which hardly anyone means. */
function noteEmptyKeys(node: RecipeNode, faults: Faults): void {
  if (node.kind === 'list') for (const item of node.items) noteEmptyKeys(item, faults);
  if (node.kind !== 'map') return;
  for (const [name, { key, value }] of node.entries) {
    if (value.kind !== 'scalar') noteEmptyKeys(value, faults);
    else if (value.value === null && value.source.trim() === '') {
      faults.add(key, `"${name}" has no value`, {
        hint: `Leave the key out, or write "${name}: null" to take away what an extended recipe says.`,
      });
    }
  }
}

/** Every file says which version of the format it is: what a later one means can't be judged here. */
function checkVersion(layer: MapNode, text: RecipeText, faults: Faults): void {
  const value = layer.entries.get('recipe')?.value;
  if (value === undefined) {
    faults.add(topOf(layer, text), '"recipe" is missing', { hint: `Add it: recipe: ${RECIPE_VERSION}` });
  } else if (value.kind === 'scalar' && Number.isInteger(value.value) && value.value !== RECIPE_VERSION) {
    faults.add(
      value.mark,
      `recipe format ${value.source} is not known to this version, which knows ${RECIPE_VERSION}`,
    );
    faults.throwIfAny();
  }
}

/** Where a layer's `extends` leads; undefined without one, and when it leads nowhere, which is noted. */
function extendedPath(
  layer: MapNode,
  identities: ReadonlyMap<string, string>,
  faults: Faults,
): string | undefined {
  const value = layer.entries.get('extends')?.value;
  if (value === undefined) return undefined;
  const hint = 'Write one path, relative to this file: extends: ./defaults/opengfs.yaml';
  if (value.kind !== 'scalar' || typeof value.value !== 'string' || value.value === '') {
    const mark = value.kind === 'scalar' ? value.mark : (layer.entries.get('extends')?.key ?? value.mark);
    faults.add(mark, `extends is ${describeNode(value)}: the path of one recipe file belongs here`, { hint });
    return undefined;
  }
  if (value.value.includes('${')) {
    faults.add(value.mark, 'extends is read before there are variables: it has none', { hint });
    return undefined;
  }
  const path = resolve(value.directory, value.value);
  const identity = identityOf(path);
  if (identity !== undefined && identities.has(identity)) {
    const circle = [...identities.values(), identities.get(identity)].join(' -> ');
    faults.add(value.mark, `extends goes round in a circle: ${circle}`);
    return undefined;
  }
  if (identities.size > CHAIN_MAX) {
    faults.add(value.mark, `more than ${CHAIN_MAX} recipes that extend each other`);
    return undefined;
  }
  return path;
}

function identityOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // It is not there, which reading it says.
    return undefined;
  }
}

/** Reads a file; what hinders it is a fault of the `extends` that names it, or thrown when that is the user. */
function readText(path: string, name: string, faults: Faults, extending?: MapNode): RecipeText | undefined {
  try {
    return decode(readBounded(path), path, name, faults);
  } catch (error) {
    const reason = reasonOf(error, path);
    const mark = extending?.entries.get('extends')?.value.mark;
    if (mark === undefined)
      throw new DiagnosticError({ kind: 'recipe', location: { file: name }, ...reason });
    faults.add(mark, `${name}: ${reason.message}`, reason);
    return undefined;
  }
}

function reasonOf(error: unknown, path: string): { message: string; hint?: string } {
  if (error instanceof Unreadable) return { message: error.message };
  // A path with a NUL character never reaches the system.
  if (systemErrorCode(error) === 'ERR_INVALID_ARG_VALUE') return { message: 'this is no path' };
  const { message, hint } = readableHostError(error, path).diagnostics[0] ?? {
    message: 'this cannot be read',
  };
  return { message, ...(hint === undefined ? {} : { hint }) };
}

/** Why a file that can be opened is no recipe. */
class Unreadable extends Error {}

function readBounded(path: string): Buffer {
  // Without O_NONBLOCK the opening of a pipe waits for someone who writes to it.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(descriptor);
    if (status.isDirectory()) throw new Unreadable('this is a directory, not a recipe file');
    if (!status.isFile()) throw new Unreadable('this is no ordinary file');
    const bytes = Buffer.alloc(RECIPE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length > RECIPE_BYTES_MAX) {
        throw new Unreadable(`more than ${RECIPE_BYTES_MAX / 1024} KiB, which no recipe needs`);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Buffer, path: string, name: string, faults: Faults): RecipeText {
  const text = RecipeText.ofFile(path, name, bytes.toString('utf8'));
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text;
  } catch {
    const at = Math.max(0, text.text.indexOf('\ufffd'));
    faults.chain.push(text);
    faults.add({ text, start: at, end: at + 1 }, 'this is not UTF-8 text');
    faults.throwIfAny();
    return text;
  }
}
