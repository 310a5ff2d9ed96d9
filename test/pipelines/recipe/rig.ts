import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { type LoadOptions, loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import type { Recipe, Source } from '../../../pipelines/recipe/recipe.js';
import { temporaryFolder } from '../../support/temporary.js';

export const digest = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';

/** A recipe without faults that needs no files. */
export const simple = `recipe: 1
name: simple
distribution: redhat
base: {image: http://example.org/root_fs.bz2, sha256: ${digest}, mirrors: [http://other.example.org/root_fs]}
cluster: {nodes: 2, network: 192.168.50.0/24, lockServer: "192.168.50.101:15697"}
pools:
  - {name: pool0cidev, image: root_cidev, size: 4MiB, device: /dev/loop1}
  - {name: pool0, image: root_fs, size: 256MiB, device: /dev/loop2}
filesystem: {type: opengfs, pool: pool0, lockTable: /dev/pool/pool0cidev}
`;

/** A folder of recipes, which is the working directory when they are loaded. */
export function recipeRig() {
  const folder = temporaryFolder();
  const load = (name: string, options: LoadOptions = {}): Recipe =>
    loadRecipe(name, { workingDirectory: folder, ...options });
  return {
    folder,
    load,
    /** Loads recipe.yaml with values from the command line. */
    withSet: (...set: string[]): Recipe => load('./recipe.yaml', { set }),
    /** Writes files below the folder. */
    write: (files: Readonly<Record<string, string>>): void => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
    },
  };
}

/** The messages of what a user did wrong; anything else that is thrown is a bug. */
export function errorOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  throw new Error('no error');
}

/** The source of a recipe's base. */
export function sourceOf({ base }: Recipe): Source {
  if (!('source' in base)) throw new Error(`a base of the kind ${base.kind} has no source`);
  return base.source;
}
