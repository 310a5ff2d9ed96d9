import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { recipeJsonSchema } from '../../../pipelines/recipe/json-schema.js';
import { listRecipes } from '../../../pipelines/recipe/list-recipes.js';
import { projectRecipes } from '../../../pipelines/recipe/recipe-folder.js';
import { check } from '../../../scripts/verbs/check.js';
import { formatListing } from '../../../scripts/verbs/recipes.js';
import { schema } from '../../../scripts/verbs/schema.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
const sound = readFileSync(
  new URL('../../fixtures/broken-recipes/extended/sound.yaml', import.meta.url),
  'utf8',
);
mkdirSync(join(folder, 'defaults'));
writeFileSync(join(folder, 'good.yaml'), `${sound}summary: "A good one"\n`);
writeFileSync(join(folder, 'debian-too.yml'), sound.replace('redhat', 'debian'));
writeFileSync(join(folder, 'bad.yaml'), `${sound}sumary: x\nepoch: "\\e"\n`);
writeFileSync(join(folder, 'defaults', 'part.yaml'), 'recipe: 1\n');
writeFileSync(join(folder, '.hidden.yaml'), '');
writeFileSync(join(folder, 'notes.txt'), '');

let output = '';
beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

describe('check', () => {
  const good = join(folder, 'good.yaml');
  const bad = join(folder, 'bad.yaml');

  test('says which recipes are right', async () => {
    expect(await check([good, join(folder, 'debian-too.yml')], {})).toBe(0);
    expect(output).toBe(`${good}: ok\n${join(folder, 'debian-too.yml')}: ok\n`);
  });

  test('throws the faults of all that are wrong, and still names those that are right', async () => {
    const error: unknown = await check([bad, good, join(folder, 'nix.yaml')], {}).catch((thrown) => thrown);
    expect(output).toBe(`${good}: ok\n`);
    if (!(error instanceof DiagnosticError)) throw error;
    expect(error.diagnostics.map(({ kind }) => kind)).toEqual(['recipe', 'recipe', 'recipe']);
    expect(error.diagnostics.map(({ location }) => location?.line)).toEqual([20, 21, undefined]);
  });

  test('takes values from the command line', async () => {
    expect(await check([good], { set: ['nodes=2'] })).toBe(0);
    await expect(check([good], { set: ['nodes=0'] })).rejects.toThrow(`--set: \${nodes} is 0 here`);
  });
});

describe('schema', () => {
  test('prints the JSON Schema', async () => {
    expect(await schema()).toBe(0);
    expect(JSON.parse(output)).toEqual(recipeJsonSchema());
  });
});

describe('recipes', () => {
  test('are those of a folder, also the broken ones', () => {
    const listed = listRecipes(folder);
    expect(listed.map(({ name }) => name)).toEqual(['bad', 'debian-too', 'good']);
    expect(listed[1]).toEqual({
      name: 'debian-too',
      path: join(folder, 'debian-too.yml'),
      summary: '',
      distribution: 'debian',
    });
    const [broken] = listed;
    expect(broken !== undefined && 'error' in broken && broken.error.diagnostics.length).toBe(2);
  });

  test('are listed in columns', () => {
    expect(formatListing(listRecipes(folder), false)).toBe(
      [
        `bad         -       ${join(folder, 'bad.yaml')}:20:1: error: unknown key "sumary" (and 1 more)`,
        'debian-too  debian',
        'good        redhat  A good one',
        '',
      ].join('\n'),
    );
    expect(formatListing([], false)).toBe('');
  });

  test('are listed as one JSON object a line', () => {
    const lines = formatListing(listRecipes(folder), true).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        name: 'bad',
        path: join(folder, 'bad.yaml'),
        errors: [
          expect.stringContaining('20:1: error: unknown key'),
          expect.stringContaining('21:8: error: epoch is'),
        ],
      },
      { name: 'debian-too', path: join(folder, 'debian-too.yml'), distribution: 'debian', summary: '' },
      { name: 'good', path: join(folder, 'good.yaml'), distribution: 'redhat', summary: 'A good one' },
    ]);
  });

  test("are the project's own by default", () => {
    expect(projectRecipes()).toBe(fileURLToPath(new URL('../../../recipes', import.meta.url)));
  });
});
