import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DiagnosticError } from '../../images/diagnostic.js';
import { findNeeded } from '../engine/needed-program.js';
import type { Stage, StageNeed } from '../engine/stage.js';
import type { Finding } from './finding.js';
import { programFinding } from './programs.js';
import { type Places, spaceFindings } from './space.js';
import { userRangeFinding } from './user-range.js';

/**
 * What stages need of this host, and whether it is here: told by `doctor` of all stages of a recipe, and by a build of
 * those that it is about to run.
 */
export async function stageFindings(stages: readonly Stage[], places: Places): Promise<Finding[]> {
  const findings = new Map<string, Finding>();
  const space = new Map<SpaceNeed['where'], number>([
    ['cache', 0],
    ['outputs', 0],
  ]);
  const add = (finding: Finding): void => void findings.set(`${finding.topic} ${finding.message}`, finding);
  for (const stage of stages) {
    for (const tool of stage.tools)
      add(
        await programFinding({
          ...tool,
          ...(tool.optional === true ? { otherwise: 'the build can do without it' } : {}),
        }),
      );
    for (const need of stage.needs ?? []) {
      if (need.kind === 'space') {
        space.set(need.where, (space.get(need.where) ?? 0) + bytesOf(need, stage));
      } else for (const finding of await findingsOf(need)) add(finding);
    }
  }
  const folders = { ...places, temporary: tmpdir() };
  const wanted = [...space].map(([what, bytes]) => ({ what, folder: folders[what], bytes }));
  return [...findings.values(), ...spaceFindings(wanted)];
}

/** Throws a DiagnosticError with all that is missing, in the words of `doctor`. */
export function throwMissing(findings: readonly Finding[]): void {
  const missing = findings.filter(({ state }) => state === 'missing');
  if (missing.length === 0) return;
  throw new DiagnosticError(
    missing.map(({ message, hint, file }) => ({
      kind: 'host',
      message,
      ...(file === undefined ? {} : { location: { file } }),
      ...(hint === undefined ? {} : { hint }),
    })),
  );
}

type SpaceNeed = StageNeed & { kind: 'space' };

async function findingsOf(need: Exclude<StageNeed, SpaceNeed>): Promise<readonly Finding[]> {
  switch (need.kind) {
    case 'program':
      return [await programFinding({ ...need, path: findNeeded(need) })];
    case 'user range':
      return process.getuid?.() === 0 ? [] : [userRangeFinding()];
    case 'other':
      return need.look();
  }
}

/** Of an input that is made only then nothing is known. */
function bytesOf({ bytes }: SpaceNeed, stage: Stage): number {
  if (typeof bytes === 'number') return bytes;
  const input = stage.inputs[bytes.input];
  if (input?.kind !== 'file') return 0;
  return statSync(input.path, { throwIfNoEntry: false })?.size ?? 0;
}
