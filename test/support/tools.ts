import { describe, type TestOptions, test } from 'vitest';
import { findTool, toolWithPackage } from './programs.js';

export { findTool, run, tool } from './programs.js';

function missingOf(tools: readonly string[]): string | undefined {
  const missing = tools.filter((name) => findTool(name) === undefined);
  if (missing.length === 0) return undefined;
  return `skipped: needs ${missing.map(toolWithPackage).join(', ')}`;
}

const required = process.env.REQUIRE_TOOLS === '1';

/** A test that an outside program judges. Without the program it is skipped and says so; in CI it fails. */
export function testWith(
  tools: readonly string[],
  name: string,
  body: () => Promise<void> | void,
  options: TestOptions = {},
): void {
  const missing = missingOf(tools);
  if (missing === undefined) test(name, options, body);
  else if (required) {
    test(name, () => {
      throw new Error(`REQUIRE_TOOLS=1, but: ${missing}`);
    });
  } else test.skip(`${name} [${missing}]`, () => {});
}

/** A group of tests that need the same outside programs. */
export function describeWith(tools: readonly string[], name: string, body: () => void): void {
  const missing = missingOf(tools);
  if (missing === undefined) describe(name, body);
  else testWith(tools, name, () => {});
}

/** A group of tests that can't be run here for a reason, if there is one: skipped with it, in CI a failure. */
export function describeUnless(fault: string | undefined, name: string, body: () => void): void {
  if (fault === undefined) describe(name, body);
  else if (required) {
    test(name, () => {
      throw new Error(`REQUIRE_TOOLS=1, but: ${fault}`);
    });
  } else describe.skip(`${name} [skipped: ${fault}]`, body);
}
