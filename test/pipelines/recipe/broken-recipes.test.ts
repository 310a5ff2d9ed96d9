import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';

const folder = fileURLToPath(new URL('../../fixtures/broken-recipes/', import.meta.url));
const recipes = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .sort();

/** What is thrown for a recipe. */
function faultsOf(recipe: string): DiagnosticError {
  try {
    loadRecipe(recipe, { workingDirectory: folder });
  } catch (error) {
    if (error instanceof DiagnosticError) return error;
    throw error;
  }
  throw new Error(`${recipe} was loaded without an error`);
}

describe('each slip in a recipe is told with its place', () => {
  const fetched = vi.fn(() => Promise.reject(new Error('nothing is fetched for a check')));
  beforeAll(() => void vi.stubGlobal('fetch', fetched));
  afterAll(() => {
    vi.unstubAllGlobals();
    expect(fetched).not.toHaveBeenCalled();
  });

  test('there are many of them, each with its expected messages', () => {
    const expected = readdirSync(folder).filter((name) => name.endsWith('.expected'));
    expect(expected.sort()).toEqual(recipes.map((name) => name.replace('.yaml', '.expected')));
    expect(recipes.length).toBeGreaterThan(90);
  });

  test.each(recipes)('%s', (recipe) => {
    const { message, diagnostics } = faultsOf(recipe);
    expect(`${message}\n`).toBe(readFileSync(join(folder, recipe.replace('.yaml', '.expected')), 'utf8'));
    expect(new Set(diagnostics.map(({ kind }) => kind))).toEqual(new Set(['recipe']));
    // Whatever the recipe holds, nothing in a message steers the terminal.
    expect(message).not.toMatch(/(?![\n\t])\p{Cc}/u);
  });

  test('the recipes that they extend have no fault', () => {
    expect(loadRecipe('./extended/sound.yaml', { workingDirectory: folder }).name).toBe('sound');
    expect(loadRecipe('./extended/gfs2.yaml', { workingDirectory: folder }).name).toBe('gfs2');
    expect(loadRecipe('./extended/ext2.yaml', { workingDirectory: folder }).name).toBe('ext2');
  });

  test('the caret stands under what the column says', () => {
    for (const recipe of recipes) {
      for (const { location, excerpt } of faultsOf(recipe).diagnostics) {
        const [line = '', caret = ''] = excerpt ?? [];
        if (location?.column === undefined || line.includes('…') || /[^\p{ASCII}]/u.test(line)) continue;
        expect(`${recipe} ${caret.indexOf('^') + 1}`).toBe(`${recipe} ${location.column}`);
        const source = readFileSync(join(folder, location.file ?? ''), 'utf8').split('\n');
        expect(line).toBe(source[(location.line ?? 0) - 1]);
      }
    }
  });
});
