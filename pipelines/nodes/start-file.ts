import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import { usageError } from '../../images/diagnostic.js';
import { nearestWord } from '../../images/suggestion.js';
import { FaultCollector, type Line } from '../../images/text-file.js';

const KEYS = ['KERNEL', 'ROOT', 'CIDEV', 'INITRD', 'INITRD_MEMEXP'] as const;
type Key = (typeof KEYS)[number];

/** What a cluster is started from (HOWTO 2.4): absolute paths. */
export type StartFile = Partial<Readonly<Record<Key, string>>>;

const FILE_BYTES_MAX = 64 * 1024;

/**
 * Reads `ssiuml.conf`: lines KEY=VALUE as a shell would read them, without anything that a shell would do. Paths are
 * relative to the file; `~/` and `$HOME/` in front are the home folder. Throws a DiagnosticError with everything that is
 * wrong, and where.
 */
export function readStartFile(path: string): StartFile {
  let text: string;
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw usageError(`${path}: this is no ${KEYS[0]}=… file: it is too large`);
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  const faults = new FaultCollector(path);
  const values = new Map<Key, string>();
  for (const [index, lineText] of text.split('\n').entries()) {
    const line: Line = { number: index + 1, text: lineText, words: [] };
    readLine(line, values, dirname(resolve(path)), faults);
  }
  faults.throwIfAny();
  return Object.fromEntries(values);
}

/** The file in the folder `--out` names, or else the user's own. Throws a DiagnosticError when there is none. */
export function findStartFile(name: string, out: string | undefined): string {
  const path = out === undefined ? join(homedir(), '.ssiuml', name) : join(out, name);
  if (existsSync(path)) return path;
  throw usageError(
    `there is no ${path}`,
    out === undefined
      ? 'Start from a build with --out: ssi-image build debian, then ssi-start --out out/debian.'
      : 'A build makes it: ssi-image build.',
  );
}

function readLine(line: Line, values: Map<Key, string>, folder: string, faults: FaultCollector): void {
  const text = line.text.replace(/\r$/, '');
  if (/^\s*(#.*)?$/.test(text)) return;
  const match = /^(\s*)([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(text);
  if (match === null) {
    faults.at(
      line,
      text.search(/\S/) + 1,
      'no assignment',
      'Lines are KEY=VALUE, with nothing around the =.',
    );
    return;
  }
  const [, indent = '', name = '', rest = ''] = match;
  const word = { text: name, column: indent.length + 1 };
  const key = KEYS.find((known) => known === name);
  if (key === undefined) {
    const near = nearestWord(name, KEYS);
    const hint = near === undefined ? `Known are ${KEYS.join(', ')}.` : `Did you mean ${near}?`;
    faults.at(line, word, `"${name}" is not known here`, hint);
    return;
  }
  if (values.has(key)) {
    faults.at(line, word, `${key} is set a second time`);
    return;
  }
  const value = readValue(rest);
  const column = word.column + name.length + 1;
  if ('fault' in value) faults.at(line, column + value.at, value.fault, value.hint);
  else values.set(key, isAbsolute(value.path) ? value.path : join(folder, value.path));
}

type Value =
  | { readonly path: string }
  | { readonly fault: string; readonly at: number; readonly hint?: string };

/** The value of an assignment: a word, or something in quotes, and perhaps a comment behind it. */
function readValue(text: string): Value {
  const match = /^(?:'([^']*)'|"([^"\\`]*)"|([^\s'"\\`;&|<>()*?#]*))(?:\s+#.*|\s*)$/.exec(text);
  if (match === null) {
    const at = Math.max(0, text.search(/[\s'"\\`;&|<>()*?#]/));
    return { fault: 'this is no plain value', at, hint: 'Put it in single quotes.' };
  }
  const [, single, double, plain] = match;
  if (single !== undefined) return single === '' ? { fault: 'an empty value', at: 0 } : { path: single };
  const value = double ?? plain ?? '';
  if (value === '') return { fault: 'an empty value', at: 0 };
  // In quotes a shell does not take "~" for anything.
  const home = plain === undefined ? /^\$(HOME|\{HOME\})(?=\/)/ : /^(~|\$HOME|\$\{HOME\})(?=\/)/;
  const expanded = value.replace(home, () => homedir());
  if (expanded.includes('$'))
    return {
      fault: 'variables are not looked up here',
      at: Math.max(0, text.indexOf('$')),
      hint: 'Only $HOME/ in front is known. Put a real $ in single quotes.',
    };
  return { path: expanded };
}
