import type { TestSettings } from './recipe.js';
import type { RecipeInput } from './schema.js';

/** Not with the other defaults: those belong to what stages are made of. */
const TEST_DEFAULTS = { node: 1, code: 0, timeout: 60 };

/** The tests of a recipe without faults, with the defaults filled in. */
export function testsOf(tests: NonNullable<RecipeInput['tests']>): TestSettings[] {
  return tests.map(({ name, run, node, expect = {}, timeout }) => {
    const { code, output, matches } = expect;
    return {
      name,
      run,
      node: node ?? TEST_DEFAULTS.node,
      timeout: timeout ?? TEST_DEFAULTS.timeout,
      expect: {
        code: code ?? TEST_DEFAULTS.code,
        ...(output === undefined ? {} : { output }),
        ...(matches === undefined ? {} : { matches }),
      },
    };
  });
}
