import { copySparse } from '../../images/bytes/sparse-copy.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { writeEnvelope } from '../../images/lock-table/envelope.js';
import { labelsFor, writePoolLabel } from '../../images/pool/label.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { OpenGfsRecipe } from '../recipe/recipe.js';
import { openWritable } from '../writable-image.js';
import { checkPinned } from './pinned.js';
import { lockTableOf, lockTablePool, lockTableSettings, poolConfigOf } from './pools.js';

/** What the manifest says of a lock table that we wrote. */
export const ENVELOPE_NOTE =
  "The lock table on the cidev is in this project's own envelope: the byte format of the period's gfsconf is not known, and its tools do not read this.";

/**
 * HOWTO 5.2, `ptool pool0cidev.cf` and `gfsconf -c gfscf.cf`: the cidev's pool label, and behind it the lock table; or
 * a cidev captured from a real gfsconf.
 */
export function lockTableStage(recipe: OpenGfsRecipe, captured: StageInput | undefined): Stage {
  const pool = lockTablePool(recipe);
  const { name, size, type, device } = pool;
  const text = lockTableOf(recipe);
  const source = recipe.lockTableImage;
  return {
    name: 'lock-table',
    title: `Write the lock table to ${pool.image}`,
    module: import.meta.url,
    parameters:
      source === undefined
        ? { ...lockTableSettings(recipe), pool: { name, size, type, device } }
        : { sha256: source.sha256 },
    inputs: captured === undefined ? {} : { captured },
    tools: [],
    artifacts: ['image'],
    keeping: 'stored',
    run: async (context) => {
      const path = context.outputPath('image');
      if (source !== undefined) {
        await checkPinned(context, 'captured', source, recipe);
        const sha256 = await copySparse(await context.inputPath('captured'), path, context.pace);
        return { artifacts: { image: { kind: 'file', path, sha256 } }, facts: { captured: true } };
      }
      const file = SparseFile.create(path, pool.size);
      for (const label of labelsFor(poolConfigOf(pool), [pool.size])) file.write(writePoolLabel(label), 0);
      file.close();
      const cidev = openWritable(path);
      try {
        writeEnvelope(cidev.sink, text);
        cidev.close();
      } finally {
        cidev.abandon();
      }
      return { artifacts: { image: { kind: 'file', path } }, facts: { captured: false } };
    },
  };
}
