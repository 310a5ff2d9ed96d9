import { type Diagnostic, DiagnosticError } from '../../images/diagnostic.js';
import { checkOpenGfs } from '../../images/gfs/check/check.js';
import type { CheckResult } from '../../images/gfs/check/result.js';
import { checkGfs2 } from '../../images/gfs/gfs2/check/check.js';
import { readEnvelope } from '../../images/lock-table/envelope.js';
import { openPool } from '../../images/pool/pool.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { Gfs2Recipe, OpenGfsRecipe } from '../recipe/recipe.js';
import { lockTablePool, rootPool } from './pools.js';

/** Faults shown: more say nothing new. */
const SHOWN = 20;
const BUG_HINT = 'The image that was just written is wrong: this is a bug, please report it.';

/** The same for a GFS2 root: a build never hands over an image with a fault in it. */
export function gfs2CheckStage(recipe: Gfs2Recipe, rootImage: StageInput): Stage {
  const { image } = recipe.filesystem;
  return {
    name: 'check',
    title: 'Check the image',
    module: import.meta.url,
    parameters: {},
    inputs: { root: rootImage },
    tools: [],
    artifacts: [],
    keeping: 'stored',
    ahead: 'root',
    run: async (context) => {
      const result = await checkGfs2(await context.inputSource('root'), { pace: context.pace });
      return { artifacts: {}, facts: factsOf(result, image) };
    },
  };
}

/** What a check has counted. Throws a DiagnosticError with the faults that it has found. */
function factsOf(result: CheckResult, image: string): JsonValue {
  const faults: Diagnostic[] = result.faults.slice(0, SHOWN).map(({ message, rule, block, path }) => ({
    kind: 'image',
    message: `${message} [${rule}]`,
    location: {
      file: image,
      ...(block === undefined ? {} : { block }),
      ...(path === undefined ? {} : { path }),
    },
    hint: BUG_HINT,
  }));
  if (faults.length > 0) throw new DiagnosticError(faults);
  const { inodes, directories, files, blocksUsed } = result;
  return { inodes, directories, files, blocksUsed };
}

/**
 * Reads back what was written and checks it against every rule of the format: a build never hands over an image with a
 * fault in it.
 */
export function checkStage(recipe: OpenGfsRecipe, rootImage: StageInput, lockTable: StageInput): Stage {
  const image = rootPool(recipe).image;
  const cidev = lockTablePool(recipe).image;
  const isCaptured = recipe.lockTableImage !== undefined;
  return {
    name: 'check',
    title: 'Check the images',
    module: import.meta.url,
    parameters: { captured: isCaptured },
    inputs: { root: rootImage, 'lock-table': lockTable },
    tools: [],
    artifacts: [],
    keeping: 'stored',
    ahead: 'root',
    run: async (context) => {
      const device = openPool([await context.inputSource('root')]);
      const result = await checkOpenGfs(device, { pace: context.pace });
      const facts = factsOf(result, image);
      if (!isCaptured && readEnvelope(openPool([await context.inputSource('lock-table')])) === undefined) {
        throw new DiagnosticError({
          kind: 'image',
          message: 'it holds no lock table',
          location: { file: cidev },
          hint: BUG_HINT,
        });
      }
      return { artifacts: {}, facts };
    },
  };
}
