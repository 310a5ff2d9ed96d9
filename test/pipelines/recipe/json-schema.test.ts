import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { recipeJsonSchema } from '../../../pipelines/recipe/json-schema.js';

const examples = fileURLToPath(new URL('./examples/', import.meta.url));
const brokenRecipes = fileURLToPath(new URL('../../fixtures/broken-recipes/', import.meta.url));
const schema = recipeJsonSchema();
const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(schema);

/** What ajv says of a recipe file: whether it is right, or not even YAML. */
function judge(path: string): 'right' | 'wrong' | 'not YAML' {
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'), { logLevel: 'error' });
  } catch {
    return 'not YAML';
  }
  return validate(value) ? 'right' : 'wrong';
}

/** Slips that no schema of a single file can see: in the YAML itself, between keys, files or variables. */
const beyondSchema = [
  'test-pattern',
  'test-twice',
  'opengfs-keys-with-gfs2',
  'gfs2-limits',
  'shared-keys-with-ext2',
  'ext2-without-size',
  'no-lock-table',
  'ramdisk-format',
  'custom-tag',
  'yaml-1.1',
  'nul-character',
  'nothing-but-version',
  'missing-key',
  'size-steps',
  'no-base',
  'two-bases',
  'directory-digest',
  'modules-path-with-tar',
  'digest-beside-map',
  'date-and-tag',
  'network-host-bits',
  'network-too-small',
  'lock-server-port',
  'lock-server-is-node',
  'unknown-pool',
  'lock-table-same-pool',
  'lock-table-unknown',
  'pools-twice',
  'journal-pool',
  'few-journals',
  'small-pool',
  'too-many-devices',
  'text-twice',
  'unknown-variable',
  'unknown-variable-in-block',
  'variable-syntax',
  'variable-circle',
  'variable-type',
  'extends-circle',
  'extends-self',
  'extends-folder',
  'extended-fault',
  'missing-file',
  'wrong-kind-of-file',
];

describe('the JSON Schema', () => {
  test('takes what loads', () => {
    expect(judge(join(examples, 'complete.yaml'))).toBe('right');
    expect(judge(join(examples, 'defaults/cluster.yaml'))).toBe('right');
    expect(judge(join(brokenRecipes, 'extended/sound.yaml'))).toBe('right');
    expect(judge(join(brokenRecipes, 'extended/gfs2.yaml'))).toBe('right');
  });

  test.each(readdirSync(brokenRecipes).filter((name) => name.endsWith('.yaml')))(
    'refuses %s where it can',
    (recipe) => {
      const verdict = judge(join(brokenRecipes, recipe));
      const name = recipe.replace(/^\d+-|\.yaml$/g, '');
      if (beyondSchema.includes(name)) expect(verdict).toBe('right');
      else expect(verdict).not.toBe('right');
    },
  );

  test('knows nothing of what a list of slips has that is gone', () => {
    const names = readdirSync(brokenRecipes).map((name) => name.replace(/^\d+-|\.yaml$/g, ''));
    expect(names).toEqual(expect.arrayContaining(beyondSchema));
  });

  test.each([
    ['a number as a variable', { cluster: { nodes: `\${n}` } }, true],
    ['a number as another text', { cluster: { nodes: 'n' } }, false],
    [
      'null for a key of a map',
      { cluster: null, base: { image: null }, configure: { ubd: { devices: null } } },
      true,
    ],
    ['null for a key in a list', { pools: [{ name: null, image: 'a', size: 1, device: '/dev/a' }] }, false],
    ['null for the version', { recipe: null }, false],
    ['a variable in a list', { configure: { remove: [`/a/\${n}`] } }, true],
    ['tools as a text or a map', { clusterTools: { source: { path: 'x' } } }, true],
    ['tools with an unknown key', { clusterTools: { source: { pth: 'x' } } }, false],
    ['on and off', { configure: { network: { patch: 'on' } } }, true],
    ['another word', { configure: { network: { patch: 'perhaps' } } }, false],
  ])('%s', (_, keys, isRight) => {
    expect(validate({ recipe: 1, ...keys })).toBe(isRight);
  });

  test('says what every key is for', () => {
    const silent: string[] = [];
    const walk = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const { properties, anyOf, items } = value as Record<string, unknown>;
      for (const [key, property] of Object.entries(
        (properties ?? {}) as Record<string, { description?: string }>,
      )) {
        if (property.description === undefined) silent.push(`${path}.${key}`);
        walk(property, `${path}.${key}`);
      }
      for (const branch of (anyOf ?? []) as unknown[]) walk(branch, path);
      walk(items, path);
    };
    walk(schema, '');
    expect(silent).toEqual([]);
  });
});
