import { byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { nodeAt } from './staging-contents.js';
import type { StagingRoot } from './staging-root.js';

const COMPLAINTS_MAX = 200;
/** Files without contents with the same end of their path: more are not guessed at. */
const GUESSES_MAX = 3;

const unreadable =
  /No such file|Permission denied|not found|[Cc]annot (?:open|stat|access)|can't (?:read|open)/;
const forbidden =
  /(?:chown|chgrp|mknod|install|mkfifo|cp|tar|chmod).*(?:Operation not permitted|Invalid argument)/;
const sameFile = / are the same file/;

/** Gathers the lines in which programs say that they could not have a file. */
export class MakeComplaints {
  private readonly lines: string[] = [];
  private refused = false;
  private same = false;

  add(line: string): void {
    if (forbidden.test(line)) this.refused = true;
    if (sameFile.test(line)) this.same = true;
    if (this.lines.length < COMPLAINTS_MAX && unreadable.test(line)) this.lines.push(line);
  }

  /** Whether an owner or a device could not be made. */
  get isOwnershipRefused(): boolean {
    return this.refused;
  }

  /** Whether a program would not do something to two names as they are one file. */
  get isSameFile(): boolean {
    return this.same;
  }

  /**
   * Files of the base that the rule asked for, and that were there without their contents, or not at all.
   * `root` is the path at which the rule sees the staging root.
   */
  withheld(staging: StagingRoot, root: string): string[] {
    const paths = new Set<string>();
    for (const line of this.lines) {
      for (const token of tokensOf(line)) {
        if (token.startsWith(`${root}/`)) addIfWithheld(token.slice(root.length), staging, paths);
        else if (!token.startsWith('/')) addGuesses(token, staging, paths);
      }
    }
    return [...paths].sort();
  }
}

/** What may be a path: anything in quotes; without them, a word with a slash. */
function tokensOf(line: string): string[] {
  const quoted = [...line.matchAll(/['"`]([^'"`]+)['"]/g)].map(([, text = '']) => text);
  const words = line
    .split(/\s+/)
    .map((word) => word.replace(/^['"`]|['"]?[:,;.]?$/g, ''))
    .filter((word) => word.includes('/'));
  return [...quoted, ...words];
}

function addIfWithheld(path: string, staging: StagingRoot, paths: Set<string>): void {
  const bytes = byteStringFromText(path);
  const node = nodeAt(staging.base, bytes);
  if (node?.type !== 'file') return;
  const laidOut = staging.byPath.get(bytes);
  // Through a symbolic link the path is another: the node tells.
  const as = laidOut?.node === node ? laidOut.as : placeholderOf(node, staging);
  if (as !== 'contents') paths.add(path);
}

function placeholderOf(node: unknown, staging: StagingRoot) {
  for (const laidOut of staging.byPath.values()) if (laidOut.node === node) return laidOut.as;
  return undefined;
}

/** A path from a folder that is not known: the files that it may mean. */
function addGuesses(token: string, staging: StagingRoot, paths: Set<string>): void {
  const end = `/${byteStringFromText(token.replace(/^\.\//, ''))}`;
  const guesses: string[] = [];
  for (const [path, { as }] of staging.byPath) {
    if (as !== 'placeholder' || !path.endsWith(end)) continue;
    guesses.push(textFromByteString(path));
    if (guesses.length > GUESSES_MAX) return;
  }
  for (const guess of guesses) paths.add(guess);
}
