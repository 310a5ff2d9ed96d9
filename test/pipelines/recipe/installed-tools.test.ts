import { describe, expect, test } from 'vitest';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';

describe('what a rule installed elsewhere goes with the base and the rule it was made for', () => {
  const installed = (...set: string[]) =>
    loadRecipe('sample', { set, checkFiles: false }).clusterTools?.installed;

  test('of the recipe as it is', () => {
    expect(installed()?.location).toMatch(/cluster-tools\.redhat\.cpio$/);
    expect(installed('cluster.timeout=31')).toBeDefined();
  });

  test.each([
    'distribution=caldera',
    'base.image=./other.ext2',
    'base.tar=./other.tar',
    'clusterTools.rule=install_ssi_debian',
    'clusterTools.source=./other',
  ])('not with --set %s', (set) => {
    expect(installed(set)).toBeUndefined();
  });

  test('but with one that is named beside the change', () => {
    expect(installed('distribution=caldera', 'clusterTools.installed=./caldera.cpio')?.location).toMatch(
      /caldera\.cpio$/,
    );
  });
});
