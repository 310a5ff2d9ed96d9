import { expect, test } from 'vitest';
import type { TestExpectation } from '../../../pipelines/recipe/recipe.js';
import type { CommandOutcome } from '../../../pipelines/test-run/command-in-node.js';
import { mismatchOf } from '../../../pipelines/test-run/expectation.js';

const reasonOf = (output: string, expectation: Partial<TestExpectation>, code = 0): string | undefined => {
  const outcome: CommandOutcome = { end: { kind: 'exit', code }, output, errorOutput: '', isCut: false };
  return mismatchOf(outcome, { code: 0, ...expectation })?.reason;
};

test('one line feed at the end makes no difference, on either side', () => {
  expect(reasonOf('node1\n', { output: 'node1' })).toBeUndefined();
  expect(reasonOf('node1', { output: 'node1\n' })).toBeUndefined();
  expect(reasonOf('', { output: '' })).toBeUndefined();
  expect(reasonOf('node1\n\n', { output: 'node1' })).toBe('its output is another one');
  expect(reasonOf(' node1', { output: 'node1' })).toBe('its output is another one');
});

test('the code, the output and the regular expression all have to be right', () => {
  expect(reasonOf('a\nb\n', { code: 3, output: 'a\nb', matches: '^b$' }, 3)).toBeUndefined();
  expect(reasonOf('a\nb\n', { code: 3, output: 'a\nb', matches: '^c$' }, 3)).toBe(
    'its output does not match',
  );
  expect(reasonOf('a\nb\n', { output: 'a\nb' }, 3)).toBe('it ended with exit code 3, not with exit code 0');
});

test('a search that would not end is given up', () => {
  expect(reasonOf(`${'a'.repeat(40)}b`, { matches: '(a+)+$' })).toContain('takes more than 1 s');
});
