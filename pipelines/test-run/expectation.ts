import { runInNewContext } from 'node:vm';
import { printable } from '../../images/diagnostic.js';
import type { TestExpectation } from '../recipe/recipe.js';
import type { CommandOutcome } from './command-in-node.js';

/** How long a regular expression may search, in milliseconds: some take longer than anybody lives. */
const SEARCH_MILLISECONDS = 1000;
/** Lines of a text that are shown, and letters of a line. */
const LINES_SHOWN = 20;
const LETTERS_SHOWN = 400;

/** Why an outcome is not what was expected. */
export interface Mismatch {
  readonly reason: string;
  readonly details: readonly string[];
}

/** Compares what came of a command with what had to; undefined when it is that. */
export function mismatchOf(outcome: CommandOutcome, expect: TestExpectation): Mismatch | undefined {
  const { end, output, errorOutput } = outcome;
  const code = end.kind === 'exit' ? `exit code ${end.code}` : `signal ${end.number}`;
  const said = [
    ...shown('output', output),
    ...(errorOutput === '' ? [] : shown('error output', errorOutput)),
  ];
  if (end.kind !== 'exit' || end.code !== expect.code)
    return {
      reason: `it ended with ${code}, not with exit code ${expect.code}`,
      details: [`expected: exit code ${expect.code}`, `got: ${code}`, ...said],
    };
  if (expect.output !== undefined && withoutEnd(output) !== withoutEnd(expect.output))
    return {
      reason: `its output is another one${outcome.isCut ? ': it was too long to be kept' : ''}`,
      details: [
        ...shown('expected output', expect.output),
        ...said.map((line) => line.replace(/^output/, 'got output')),
      ],
    };
  if (expect.matches === undefined) return undefined;
  const found = isFound(expect.matches, output);
  if (found === true) return undefined;
  return {
    reason:
      found === 'too-long'
        ? `the search for the regular expression takes more than ${SEARCH_MILLISECONDS / 1000} s`
        : 'its output does not match',
    details: [
      `expected output that matches: ${printable(expect.matches)}`,
      ...said.map((line) => line.replace(/^output/, 'got output')),
    ],
  };
}

/** A text under a heading, as a terminal may have it; a line beside it. */
export function shown(heading: string, text: string): string[] {
  const body = withoutEnd(text);
  if (body === '') return [`${heading}: nothing`];
  const lines = body.split('\n');
  const cut = lines.slice(0, LINES_SHOWN).map((line) => {
    const end = line.length > LETTERS_SHOWN ? '…' : '';
    return `${printable(line.slice(0, LETTERS_SHOWN))}${end}`;
  });
  const [only = ''] = cut;
  if (lines.length === 1) return [`${heading}: ${only}`];
  const more = lines.length - LINES_SHOWN;
  return [`${heading}:`, ...cut.map((line) => `  ${line}`), ...(more > 0 ? [`  … ${more} more lines`] : [])];
}

function withoutEnd(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

/** In a context of its own there is a limit to how long it may take. */
function isFound(pattern: string, text: string): boolean | 'too-long' {
  try {
    return (
      runInNewContext(
        "new RegExp(pattern, 'm').test(text)",
        { pattern, text },
        { timeout: SEARCH_MILLISECONDS },
      ) === true
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too-long';
    throw error;
  }
}
