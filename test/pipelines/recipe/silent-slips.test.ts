import { describe, expect, test } from 'vitest';
import { errorOf, recipeRig, simple } from './rig.js';

describe('slips that would change a build without a word', () => {
  const { write, load } = recipeRig();

  test('a key with nothing behind it', () => {
    write({ 'defaults.yaml': simple, 'recipe.yaml': 'recipe: 1\nextends: ./defaults.yaml\nconfigure:\n' });
    expect(errorOf(() => load('./recipe.yaml'))).toMatch(/recipe\.yaml:3:1: error: "configure" has no value/);
  });

  test('a variable that is used nowhere', () => {
    write({
      'defaults.yaml': `${simple}variables: {rootSize: 2GiB, other: 1}\nsummary: \${rootSize}\n`,
      'recipe.yaml': 'recipe: 1\nextends: ./defaults.yaml\nvariables: {rootsize: 3GiB}\n',
    });
    const message = errorOf(() => load('./recipe.yaml'));
    expect(message).toMatch(/recipe\.yaml:3:13: error: the variable "rootsize" is used nowhere/);
    expect(message).toContain('Did you mean "rootSize"?');
    // What an extended recipe offers may be there for others.
    expect(message).not.toContain('"other"');
  });

  test('a variable that --set misspells', () => {
    write({ 'recipe.yaml': `${simple}variables: {rootSize: 2GiB}\nsummary: \${rootSize}\n` });
    expect(errorOf(() => load('./recipe.yaml', { set: ['rootsize=3GiB'] }))).toContain(
      'Did you mean the variable "rootSize"?',
    );
  });
});
