import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pace } from '../../../images/bytes/pace.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { canonicalListing } from '../../../images/tree/listing.js';
import { overlay } from '../../../images/tree/overlay.js';
import type { Tree } from '../../../images/tree/tree.js';
import {
  type Installed,
  type InstallRequest,
  installClusterTools,
} from '../../../pipelines/cluster-tools/install.js';
import { smallBase } from './small-base.js';

/** The test's own sources, with a Makefile of many rules. */
export const SOURCE = fileURLToPath(new URL('source', import.meta.url));

/** Programs that a host may lack, and the sandbox that is left. */
const hosts = [
  { sandbox: 'bwrap', without: [], probe: ['bwrap', '--ro-bind', '/', '/', '--unshare-all', 'true'] },
  { sandbox: 'unshare', without: ['bwrap'], probe: ['unshare', '-r', '--mount', '--pid', '--fork', 'true'] },
  { sandbox: 'none', without: ['bwrap', 'unshare'], probe: ['true'] },
] as const;

/** Those that can be tried here: most containers allow no namespaces. Where everything is required, all of them. */
export const HOSTS = hosts.filter(
  ({ probe: [program, ...args] }) =>
    process.env.REQUIRE_TOOLS === '1' || spawnSync(program, args).status === 0,
);

/** The clock of the builds here. */
export const EPOCH = 1_030_000_000;

/** Runs a rule on the small base in a new folder below `scratch`. */
export async function install(
  scratch: string,
  rule: string,
  request: Partial<InstallRequest> = {},
): Promise<Installed> {
  const work = mkdtempSync(join(scratch, 'work-'));
  const base = smallBase();
  return await installClusterTools({
    ...{ base, source: SOURCE, rule, needs: [], work, epoch: EPOCH, timeLimit: 60 },
    ...request,
  });
}

/** The text of the DiagnosticError that a rule ends in. Throws when it does not. */
export async function failureOf(installing: Promise<Installed>): Promise<string> {
  try {
    await installing;
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  throw new Error('the rule did not fail');
}

/** Every name of a Tree with everything about it, a line each. */
export async function linesOf(tree: Tree): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of canonicalListing(tree, new Pace())) lines.push(line);
  return lines;
}

/** The base with the overlay on it. */
export function applied({ overlay: upper }: Installed, base = smallBase()): Tree {
  return overlay(base, upper);
}
