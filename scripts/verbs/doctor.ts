import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostError, printable } from '../../images/diagnostic.js';
import { defaultCacheFolder } from '../../pipelines/cache/cache.js';
import { generalFindings, hostBackendFindings, neededFindings } from '../../pipelines/doctor/doctor.js';
import type { Finding } from '../../pipelines/doctor/finding.js';
import { cleanHost } from '../../pipelines/host/host-lock.js';
import { describeMade } from '../../pipelines/host/made.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { hostOptionsOf, type RecipeOptions, recipeOf } from './build-options.js';

export interface DoctorOptions extends RecipeOptions {
  readonly clean?: boolean;
  readonly json?: boolean;
}

/** `ssi-image doctor`: what this host has and lacks. Exit 1 when the recipe named needs what is missing. */
export async function doctor(recipe: string | undefined, options: DoctorOptions): Promise<number> {
  if (options.clean === true) return clean(options);
  const host = hostOptionsOf(recipe ?? '', options);
  const findings =
    recipe === undefined
      ? [
          ...(await generalFindings(folderThatExists(defaultCacheFolder()))),
          ...(await hostBackendFindings(host?.tools)),
        ]
      : [
          ...(await generalFindings(folderThatExists(defaultCacheFolder()))).filter(
            ({ topic }) => topic !== 'tools',
          ),
          ...(await neededFindings(recipeOf(recipe, options), host)),
        ];
  const isLacking = findings.some(({ state }) => state === 'missing');
  if (options.json === true) {
    await writeOut(`${JSON.stringify({ ...(recipe === undefined ? {} : { recipe }), findings })}\n`);
  } else {
    await writeOut(findings.map(linesOf).join(''));
    if (recipe !== undefined)
      await writeOut(isLacking ? `${recipe} can not be built here\n` : `${recipe} can be built here\n`);
  }
  return isLacking ? ExitCode.failed : ExitCode.done;
}

const marks = { ok: 'ok     ', warning: 'warning', missing: 'MISSING' } as const;

function linesOf({ topic, state, message, hint }: Finding): string {
  const help = hint === undefined ? '' : `${' '.repeat(9)}${printable(hint)}\n`;
  return `${marks[state]}  ${topic}: ${printable(message)}\n${state === 'ok' ? '' : help}`;
}

async function clean(options: DoctorOptions): Promise<number> {
  const cleaned = await cleanHost(options.hostTools);
  if (cleaned === undefined)
    throw hostError('a host build runs now, nothing was touched', 'Wait for it to end, and run this again.');
  if (options.json === true) await writeOut(`${JSON.stringify({ cleaned })}\n`);
  else if (cleaned.length === 0) await writeOut('nothing was left behind\n');
  else await writeOut(cleaned.map((made) => `gone: ${printable(describeMade(made))}\n`).join(''));
  return ExitCode.done;
}

function folderThatExists(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : folderThatExists(dirname(path));
}
