import { resolve } from 'node:path';
import { hostError, printable } from '../../images/diagnostic.js';
import { defaultCacheFolder } from '../../pipelines/cache/cache.js';
import {
  generalFindings,
  hostBackendFindings,
  neededFindings,
  settingFindings,
} from '../../pipelines/doctor/doctor.js';
import type { Finding } from '../../pipelines/doctor/finding.js';
import { cleanHost } from '../../pipelines/host/host-lock.js';
import { describeMade } from '../../pipelines/host/made.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { hostOptionsOf, pipelineOf, placesOf, type RecipeOptions, recipeOf } from './build-options.js';

export interface DoctorOptions extends RecipeOptions {
  readonly clean?: boolean;
  readonly json?: boolean;
}

/** `ssi-image doctor`: what this host has and lacks. Exit 1 when the recipe named needs what is missing. */
export async function doctor(recipe: string | undefined, options: DoctorOptions): Promise<number> {
  if (options.clean === true) return clean(options);
  const findings = await (recipe === undefined ? ofHost(options) : forRecipe(recipe, options));
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

async function ofHost(options: DoctorOptions): Promise<Finding[]> {
  const host = hostOptionsOf('', options);
  const general = await generalFindings(cacheOf(options));
  const known = new Set(general.map(({ message }) => message));
  const more = await hostBackendFindings(host?.tools);
  return [...general, ...more.filter(({ message }) => !known.has(message))];
}

async function forRecipe(recipe: string, options: DoctorOptions): Promise<Finding[]> {
  const loaded = recipeOf(recipe, options);
  const pipeline = pipelineOf(recipe, { ...options, looksOnly: true });
  const places = placesOf(pipeline, options);
  const isHostBackend = hostOptionsOf(recipe, options) !== undefined;
  return [
    ...(await settingFindings(places.cache)),
    ...(await neededFindings(loaded, pipeline, places, isHostBackend)),
  ];
}

function cacheOf({ cacheDir }: DoctorOptions): string {
  return resolve(cacheDir ?? defaultCacheFolder());
}

const marks = { ok: 'ok     ', warning: 'warning', missing: 'MISSING' } as const;

function linesOf({ topic, state, file, message, hint }: Finding): string {
  const place = file === undefined ? '' : `${printable(file)}: `;
  const help = hint === undefined ? '' : `${' '.repeat(9)}${printable(hint)}\n`;
  return `${marks[state]}  ${topic}: ${place}${printable(message)}\n${state === 'ok' ? '' : help}`;
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
