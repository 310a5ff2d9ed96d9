import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import { rounds } from '../../support/rounds.js';
import { temporaryFolder } from '../../support/temporary.js';

const sound = readFileSync(
  new URL('../../fixtures/broken-recipes/extended/sound.yaml', import.meta.url),
  'utf8',
);
const complete = readFileSync(
  fileURLToPath(new URL('./examples/complete.yaml', import.meta.url)),
  'utf8',
).replace(
  'extends: ./defaults/cluster.yaml\n',
  'cluster: {nodes: 1, network: 10.0.0.0/8, lockServer: "1.2.3.4:5"}\n',
);
/** Few for every day; with FUZZ_RUNS=20000 it is a fuzzer. */
const RUNS = rounds(100, 250, 'FUZZ_RUNS');
const folder = temporaryFolder();
const file = join(folder, 'recipe.yaml');

/** Loads a text as a recipe: whatever it is, it is either right or told what is wrong. */
function expectCleanEnd(text: string | Uint8Array, set: readonly string[] = []): void {
  writeFileSync(file, text);
  try {
    loadRecipe(file, { set, workingDirectory: folder, checkFiles: true });
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    expect(error.diagnostics.length).toBeGreaterThan(0);
    for (const { kind } of error.diagnostics) expect(kind).toBe('recipe');
    expect(error.message).not.toMatch(/(?![\n\t])\p{Cc}/u);
  }
}

const snippet = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    '${',
    `\${nodes}`,
    '$${',
    '&a ',
    '*a',
    '!x ',
    '? ',
    ': ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '|\n',
    '>-\n',
    '\n',
    '\t',
    '#',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '<<: ',
    '__proto__: ',
    'constructor: ',
    'null',
    '~',
    '.inf',
    '.nan',
    '-0',
    '0x1F',
    '1e999',
    '9'.repeat(400),
    '\u2028',
    '\ufeff',
    '\r',
    '\0',
    '\x1b[2J',
    '../',
    '//',
    'toString',
    'pools',
    'extends: recipe.yaml\n',
  ),
);

describe('whatever a recipe is, it loads or is told what is wrong', () => {
  test.each([
    ['a recipe', sound],
    ['one with every key', complete],
  ])('%s with pieces put in, taken out and copied', (_, recipe) => {
    const edit = fc.record({
      at: fc.nat({ max: recipe.length }),
      length: fc.oneof(fc.constant(0), fc.nat({ max: 60 })),
      text: fc.oneof(
        snippet,
        fc
          .tuple(fc.nat({ max: recipe.length }), fc.nat({ max: 60 }))
          .map(([from, size]) => recipe.slice(from, from + size)),
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = recipe;
        for (const { at, length, text: inserted } of edits)
          text = text.slice(0, at) + inserted + text.slice(at + length);
        expectCleanEnd(text);
      }),
      { numRuns: RUNS },
    );
  });

  test('values of every kind at every key', () => {
    const lines = complete.split('\n');
    fc.assert(
      fc.property(fc.nat({ max: lines.length - 1 }), fc.json({ maxDepth: 3 }), (index, value) => {
        const line = lines[index] ?? '';
        const changed = line.replace(/(: ?|- )(?:[^{}[\],]*)/, (_, lead: string) => `${lead}${value}`);
        expectCleanEnd(lines.with(index, changed).join('\n'));
      }),
      { numRuns: RUNS },
    );
  });

  test('arguments of --set', () => {
    const key = fc.constantFrom(
      'nodes',
      'journal',
      'base.image',
      'base',
      'base.tar',
      'pools',
      'pools.0',
      'pools.0.size',
      'pools.9.name',
      'cluster.nodes',
      'variables',
      'variables.nodes',
      'variables.new',
      'clusterTools.source',
      'clusterTools.source.cvs.root',
      'configure.files.0.from',
      'configure.files.1.to',
      'modules.path',
      'recipe',
      'extends',
      'name',
      '__proto__',
      '__proto__.x',
      'constructor.prototype',
      'configure.remove.0',
    );
    const argument = fc.oneof(
      fc.string(),
      fc.tuple(fc.oneof(key, fc.string()), fc.oneof(snippet, fc.string())).map((parts) => parts.join('=')),
    );
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 5 }), (set) => expectCleanEnd(complete, set)),
      { numRuns: RUNS },
    );
  });

  test('bytes of no encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => expectCleanEnd(bytes)),
      { numRuns: RUNS },
    );
  });

  test.each([
    ['lists', '['.repeat(250_000)],
    ['maps', '{a: '.repeat(60_000)],
    ['blocks', '- '.repeat(120_000)],
    ['anchors', '&a '.repeat(80_000)],
    ['keys', Array.from({ length: 25_000 }, (_, index) => `k${index}: 1`).join('\n')],
    ['the same key', 'a: 1\n'.repeat(50_000)],
    ['aliases', `a: &a x\nb: [${'*a,'.repeat(80_000)}]`],
    [
      'aliases of aliases',
      Array.from({ length: 20 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`)
        .join('\n')
        .replaceAll('*a-1', 'x'),
    ],
    ['quotes', '"'.repeat(250_000)],
    ['references', `recipe: 1\nsummary: "${'${'.repeat(100_000)}"`],
    ['dollars', `recipe: 1\nsummary: "${'$'.repeat(250_000)}{"`],
    ['slashes', `recipe: 1\nconfigure: {remove: ["${'/.'.repeat(120_000)}"]}`],
    ['documents', '---\n'.repeat(60_000)],
    ['directives', '%A\n'.repeat(80_000)],
  ])('a hostile file of %s takes a moment', (_, text) => {
    const start = performance.now();
    expectCleanEnd(text);
    // Seconds where a quadratic way would take minutes; other work on the machine may slow it.
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  test('the recipes that are changed load as they are', () => {
    writeFileSync(file, sound);
    expect(loadRecipe(file).name).toBe('sound');
    writeFileSync(file, complete);
    expect(loadRecipe(file, { checkFiles: false }).name).toBe('complete');
  });
});
