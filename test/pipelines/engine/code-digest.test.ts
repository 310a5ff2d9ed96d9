import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { codeDigest } from '../../../pipelines/engine/code-digest.js';
import { temporaryFolder } from '../../support/temporary.js';

const files = {
  'stage.js': [
    "import { b } from './b.js';",
    "import './effect.js';",
    "import library from 'library/part';",
    "import { readFileSync } from 'node:fs';",
    "const lazy = () => import('./lazy.js');",
    "const table = new URL('./table.bin', import.meta.url);",
  ].join('\n'),
  'b.js': "export * from './deep/c.js';\nexport const b = 1;",
  'deep/c.js': "export { stage } from '../stage.js';\nexport const c = 1;",
  'effect.js': 'globalThis.effect = 1;',
  'lazy.js': 'export const lazy = 1;',
  'table.bin': 'table',
  'swap-a.js': 'export const a = 1;',
  'swap-b.js': 'export const b = 2;',
  'unrelated.js': 'export const unrelated = 1;',
  'node_modules/library/package.json': '{"name":"library","version":"1.2.3"}',
  'node_modules/library/part.js': 'export default 1;',
};

/** The digest with some files changed, in a folder of its own: modules are read once a process. */
function digestWith(changed: Partial<Record<string, string | null>> = {}): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries({ ...files, ...changed })) {
    if (text === null) continue;
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text ?? '');
  }
  return codeDigest(pathToFileURL(join(folder, 'stage.js')).href);
}

test('is the same wherever the code lies', () => {
  expect(digestWith()).toBe(digestWith());
});

test.each(['stage.js', 'b.js', 'deep/c.js', 'effect.js', 'lazy.js', 'table.bin'])('depends on %s', (name) => {
  const text = files[name as keyof typeof files];
  expect(digestWith({ [name]: `${text} ` })).not.toBe(digestWith());
});

test('depends on the version of a library, not on its text', () => {
  const before = digestWith();
  const newer = { 'node_modules/library/package.json': '{"name":"library","version":"1.2.4"}' };
  expect(digestWith(newer)).not.toBe(before);
  expect(digestWith({ 'node_modules/library/package.json': null })).not.toBe(before);
  expect(digestWith({ 'node_modules/library/part.js': 'export default 2;' })).toBe(before);
});

test('does not depend on what is not imported', () => {
  expect(digestWith({ 'unrelated.js': 'export const unrelated = 2;' })).toBe(digestWith());
});

test('depends on which module has which text', () => {
  const imports = { 'stage.js': "import './swap-a.js';\nimport './swap-b.js';" };
  const swapped = { 'swap-a.js': files['swap-b.js'], 'swap-b.js': files['swap-a.js'] };
  expect(digestWith({ ...imports, ...swapped })).not.toBe(digestWith(imports));
});

test('a module that is not there, and a folder, are no reason to fail', () => {
  const stage =
    "import './gone.js';\nnew URL('./deep', import.meta.url);\n// taken from './deep' and from 'prose'";
  expect(digestWith({ 'stage.js': stage })).toMatch(/^[0-9a-f]{64}$/);
});

test('a tree of modules that were copied has the digest of the original', () => {
  const folder = temporaryFolder();
  cpSync(join(import.meta.dirname, '../../../images'), join(folder, 'images'), { recursive: true });
  cpSync(join(import.meta.dirname, '../../../package.json'), join(folder, 'package.json'));
  const original = codeDigest(new URL('../../../images/tree/tree-file.js', import.meta.url).href);
  const copy = join(folder, 'images/tree/tree-file.ts');
  expect(codeDigest(pathToFileURL(copy).href)).toBe(original);
  rmSync(folder, { recursive: true });
});
