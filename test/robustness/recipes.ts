import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../pipelines/program-folders.js';
import { projectRecipes } from '../../pipelines/recipe/recipe-folder.js';
import { Random } from '../fuzz/random.js';

const program = fileURLToPath(new URL('../../scripts/ssi-image.js', import.meta.url));

/** A recipe and what is set in it: each has its own outputs. */
export interface Variant {
  readonly name: string;
  /** File in the workshop's folder of recipes, or elsewhere. */
  readonly recipe: string;
  readonly set: readonly string[];
}

/** The sample's base and cluster tools: a build takes a second or two. The text decides the last three stages. */
export const SMALL: Variant = { name: 'small', recipe: 'small.yaml', set: [] };
export const SMALL_CHANGED: Variant = { name: 'small-changed', recipe: 'small.yaml', set: ['text=changed'] };
/** Another recipe with the same base and cluster tools. */
export const COUSIN: Variant = { name: 'cousin', recipe: 'cousin.yaml', set: [] };
/** A base of some tens of MiB that takes a while to decode and to copy. */
export const LARGE: Variant = { name: 'large', recipe: 'large.yaml', set: [] };
export const LARGE_CHANGED: Variant = { name: 'large-changed', recipe: 'large.yaml', set: ['text=changed'] };

const LARGE_FILES = 12;
const LARGE_FILE_BYTES = 2 * 1024 * 1024;

function recipeOf(name: string, base: string): string {
  return `recipe: 1
name: ${name}
summary: a root for tests of what builds survive
extends: ./defaults/opengfs.yaml
distribution: redhat
variables: {nodes: 1, rootSize: ${name === 'large' ? '128MiB' : '80MiB'}, text: first}
base: ${base}
clusterTools:
  source: ./sample/cluster-tools
  timeLimit: 30s
modules: {path: /lib/modules}
configure:
  files: [{path: /etc/motd, content: "${name} \${text}\\n"}]
  network: {patch: true}
`;
}

/** Writes the recipes into a new folder, with all they name. */
export function writeRecipes(folder: string, withLarge: boolean): void {
  const recipes = projectRecipes();
  mkdirSync(join(folder, 'sample'), { recursive: true });
  cpSync(join(recipes, 'defaults'), join(folder, 'defaults'), { recursive: true });
  for (const name of ['base.ext2.bz2', 'cluster-tools'])
    cpSync(join(recipes, 'sample', name), join(folder, 'sample', name), { recursive: true });
  const base = `{image: ./sample/base.ext2.bz2, sha256: ${sha256Of(join(folder, 'sample/base.ext2.bz2'))}}`;
  writeFileSync(join(folder, SMALL.recipe), recipeOf('small', base));
  writeFileSync(join(folder, COUSIN.recipe), recipeOf('cousin', base));
  if (withLarge) writeLargeBase(folder);
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** What this host lacks for the large recipe, if it does. */
export function missingForLarge(): string | undefined {
  return ['tar', 'bzip2'].find((name) => findProgram(name) === undefined);
}

/** The sample's base, and files that do not shrink to nothing: bzip2 takes long for them. */
function writeLargeBase(folder: string): void {
  const root = join(folder, 'large-root');
  const image = join(folder, 'sample', 'base.ext2.bz2');
  execFileSync(process.execPath, [program, 'extract', image, '/', root], { stdio: 'ignore' });
  const bulk = join(root, 'usr/share/bulk');
  mkdirSync(bulk, { recursive: true });
  const random = new Random(1);
  for (let number = 0; number < LARGE_FILES; number++) {
    const bytes = Buffer.alloc(LARGE_FILE_BYTES);
    for (let index = 0; index < bytes.length; index += 2) bytes[index] = random.below(256);
    writeFileSync(join(bulk, `file-${number}`), bytes);
  }
  const archive = join(folder, 'large.tar');
  execFileSync('tar', ['-cf', archive, '-C', root, '.']);
  execFileSync('bzip2', ['-1', archive]);
  writeFileSync(
    join(folder, LARGE.recipe),
    recipeOf('large', `{tar: ./large.tar.bz2, sha256: ${sha256Of(`${archive}.bz2`)}}`),
  );
}
