import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DiagnosticError } from '../../images/diagnostic.js';
import { recipeJsonSchema } from '../../pipelines/recipe/json-schema.js';
import { listRecipes } from '../../pipelines/recipe/list-recipes.js';
import { loadRecipe } from '../../pipelines/recipe/load-recipe.js';
import { recipePipeline } from '../../pipelines/recipe-pipeline.js';

const options = { offline: true, ownSeed: () => 'a seed for tests' };

/** What a build of each type of filesystem leaves at least. */
const OUTPUTS = {
  opengfs: ['root_fs', 'root_cidev', 'pool0.cf', 'pool0cidev.cf', 'gfscf.cf', 'ssiuml.conf'],
  gfs2: ['root_fs', 'initrd.img', 'linux', 'ssiuml.conf'],
  ext2: ['root_fs', 'ssiuml.conf'],
} as const;

const folder = join(import.meta.dirname, '../../recipes');
const files = [folder, join(folder, 'defaults')].flatMap((each) =>
  readdirSync(each)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(each, name)),
);

describe('the recipes of this project', () => {
  const matches = new Ajv2020({ allErrors: true, strictRequired: false, allowUnionTypes: true }).compile(
    recipeJsonSchema(),
  );

  test.each(files)('%s matches the JSON Schema', (file) => {
    matches(parse(readFileSync(file, 'utf8')));
    expect(matches.errors ?? []).toEqual([]);
  });

  const recipes = listRecipes();

  test('are listed without a fault', () => {
    expect(recipes.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['caldera', 'debian', 'redhat72', 'sample']),
    );
    expect(recipes.filter((recipe) => 'error' in recipe)).toEqual([]);
  });

  test.each(recipes.map(({ name }) => name))('%s can be loaded and planned', (name) => {
    const recipe = loadRecipe(name);
    expect(recipe.summary).not.toBe('');
    if (recipe.base.kind === 'given') {
      // What is missing is said with the place in the recipe.
      expect(() => recipePipeline(recipe, options)).toThrowError(DiagnosticError);
      expect(() => recipePipeline(recipe, options)).toThrowError(/\.yaml:\d+:\d+: .*--set base\.image/s);
      return;
    }
    const { stages, outputs } = recipePipeline(recipe, options);
    expect(new Set(stages.map((stage) => stage.name)).size).toBe(stages.length);
    expect(outputs.map((output) => output.name)).toEqual(
      expect.arrayContaining([...OUTPUTS[recipe.filesystem.type]]),
    );
  });
});
