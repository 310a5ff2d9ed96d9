import { describe, type TestOptions, test } from 'vitest';
import { findTool, toolWithPackage } from './programs.js';

export { findTool, run, tool } from './programs.js';

/** What of these this machine lacks, in words. */
function lackOf(tools: readonly string[]): string | undefined {
  const missing = tools.filter((name) => findTool(name) === undefined);
  return missing.length === 0 ? undefined : `needs ${missing.map(toolWithPackage).join(', ')}`;
}

/** In place of what can't be run here: skipped with the reason, in CI a failure. */
function leaveOut(fault: string, name: string): void {
  if (process.env.REQUIRE_TOOLS !== '1') test.skip(`${name} [skipped: ${fault}]`, () => {});
  else
    test(name, () => {
      throw new Error(`REQUIRE_TOOLS=1, but: skipped: ${fault}`);
    });
}

/** A test that an outside program judges. Without the program it is skipped and says so; in CI it fails. */
export function testWith(
  tools: readonly string[],
  name: string,
  body: () => Promise<void> | void,
  options: TestOptions = {},
): void {
  const lack = lackOf(tools);
  if (lack === undefined) test(name, options, body);
  else leaveOut(lack, name);
}

/** A group of tests that need the same outside programs. */
export function describeWith(tools: readonly string[], name: string, body: () => void): void {
  describeUnless(lackOf(tools), name, body);
}

/** A group of tests that can't be run here for a reason, if there is one. */
export function describeUnless(fault: string | undefined, name: string, body: () => void): void {
  if (fault === undefined) describe(name, body);
  else leaveOut(fault, name);
}
