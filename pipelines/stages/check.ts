import { type Diagnostic, DiagnosticError } from '../../images/diagnostic.js';
import { checkOpenGfs } from '../../images/gfs/check/check.js';
import { readEnvelope } from '../../images/lock-table/envelope.js';
import { openPool } from '../../images/pool/pool.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { Recipe } from '../recipe/recipe.js';
import { lockTablePool, rootPool } from './pools.js';

/** Faults shown: more say nothing new. */
const SHOWN = 20;

/**
 * Reads back what was written and checks it against every rule of the format: a build never hands over an image with a
 * fault in it.
 */
export function checkStage(recipe: Recipe, rootImage: StageInput, lockTable: StageInput): Stage {
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
    run: async (context) => {
      const device = openPool([await context.inputSource('root')]);
      const result = await checkOpenGfs(device, { pace: context.pace });
      const faults: Diagnostic[] = result.faults.slice(0, SHOWN).map(({ message, rule, block, path }) => ({
        kind: 'image',
        message: `${message} [${rule}]`,
        location: {
          file: image,
          ...(block === undefined ? {} : { block }),
          ...(path === undefined ? {} : { path }),
        },
        hint: 'The image that was just written is wrong: this is a bug, please report it.',
      }));
      if (faults.length > 0) throw new DiagnosticError(faults);
      if (!isCaptured && readEnvelope(openPool([await context.inputSource('lock-table')])) === undefined) {
        throw new DiagnosticError({
          kind: 'image',
          message: 'it holds no lock table',
          location: { file: cidev },
          hint: 'The image that was just written is wrong: this is a bug, please report it.',
        });
      }
      const { inodes, directories, files, blocksUsed } = result;
      return { artifacts: {}, facts: { inodes, directories, files, blocksUsed } };
    },
  };
}
