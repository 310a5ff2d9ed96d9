import { z } from 'zod';
import { expecting, key, textLike, wholeNumber } from './scalars.js';
import { listOf, mapOf } from './schema-parts.js';

/** Number of a node, or all of them. */
const NODE_MAX = 255;
/** What fits into one request to a node, with its environment. */
const COMMAND_LETTERS_MAX = 32_768;
const OUTPUT_LETTERS_MAX = 65_536;
const PATTERN_LETTERS_MAX = 4096;
const TIMEOUT_MAX = 86_400;
const TESTS_MAX = 1000;

/** Why a text is no regular expression; undefined when it is one. */
function patternFault(pattern: string): string | undefined {
  try {
    new RegExp(pattern, 'm');
    return undefined;
  } catch (error) {
    const [, reason = 'its syntax is wrong'] = /: ([^:]*)$/.exec((error as Error).message) ?? [];
    return `it is no regular expression: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  }
}

const pattern = expecting(
  z
    .string()
    .max(PATTERN_LETTERS_MAX)
    .check((context) => {
      const fault = patternFault(context.value);
      if (fault !== undefined) context.issues.push({ code: 'custom', message: fault, input: context.value });
    }),
  `a regular expression of at most ${PATTERN_LETTERS_MAX} letters`,
);

const expectation = mapOf({
  code: key(wholeNumber(0, 255), 'Exit code; 0 by default.').optional(),
  output: key(
    expecting(z.string().max(OUTPUT_LETTERS_MAX), `a text of at most ${OUTPUT_LETTERS_MAX} letters`),
    'All of standard output; a line feed at its end makes no difference.',
  ).optional(),
  matches: key(
    pattern,
    'A regular expression (of JavaScript) that is found in standard output; ^ and $ are the ends of a line too.',
  ).optional(),
});

const test = mapOf({
  name: key(
    textLike(/^[^\r\n]{1,200}$/, 'a line of 1 to 200 letters'),
    'What it is about, for the report.',
    'ssh between nodes',
  ),
  run: key(
    textLike(
      new RegExp(`^(?=[\\s\\S]*\\S)[^\\0]{1,${COMMAND_LETTERS_MAX}}$`),
      `a line for the shell of a node, of at most ${COMMAND_LETTERS_MAX} letters`,
    ),
    'A line for the shell of the node, as ssi-exec takes it; $SSI_NODE is its number, $SSI_NODES how many there are.',
    'onnode 2 hostname',
  ),
  node: key(
    expecting(
      z.union([z.int().min(1).max(NODE_MAX), z.literal('all')]),
      `the number of a node from 1 to ${NODE_MAX}, or all,`,
    ),
    'Number of the node that it runs on, or all: then on one after the other. 1 by default; without that node it is skipped.',
  ).optional(),
  expect: key(expectation, 'What has to come of it; exit code 0 by default.').optional(),
  timeout: key(
    wholeNumber(1, TIMEOUT_MAX),
    'Seconds after which it is ended and has failed; 60 by default.',
  ).optional(),
});

/** The tests of a recipe. */
export const tests = listOf(test, TESTS_MAX);
