import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { planLayout } from '../../images/gfs/layout.js';
import { MKFS_DEFAULTS, type MkfsOptions, makeFilesystem } from '../../images/gfs/mkfs.js';
import { populate } from '../../images/gfs/writer.js';
import { LABEL_AREA_BYTES } from '../../images/pool/label.js';
import type { Stage, StageInput } from '../engine/stage.js';
import type { OpenGfsRecipe } from '../recipe/recipe.js';
import { createPool } from '../writable-image.js';
import { warnOfLosses } from './losses.js';
import { poolConfigOf, rootPool } from './pools.js';

const MIB = 1024 * 1024;
/** One block of so many of a journal has something in it, a header; the others are holes. */
const JOURNAL_SEGMENT_BLOCKS = 16;

/** The options of HOWTO 5.2's `mkfs_gfs -p memexp -t /dev/pool/pool0cidev -j 15 -J 32 -i`. */
function mkfsOptions({ filesystem, epoch }: OpenGfsRecipe): MkfsOptions {
  return {
    ...MKFS_DEFAULTS,
    lockProtocol: byteStringFromText(filesystem.lockProtocol),
    lockTable: byteStringFromText(filesystem.lockTable),
    journals: filesystem.journals,
    journalMiB: filesystem.journalSize / MIB,
    blockSize: filesystem.blockSize,
    time: epoch,
  };
}

/** Throws a DiagnosticError that points at the recipe when its filesystem can't be made, whatever goes into it. */
export function checkFilesystem(recipe: OpenGfsRecipe): void {
  const pool = rootPool(recipe);
  const index = recipe.pools.indexOf(pool);
  try {
    planLayout({ ...mkfsOptions(recipe), deviceBytes: pool.size - LABEL_AREA_BYTES });
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const [{ message, hint } = { message: 'it can not be laid out', hint: undefined }] = error.diagnostics;
    // Some limits are not the pool's; and what a command's option would lower, a recipe can't.
    const isJournal = /journal/.test(message) && !/the device has/.test(message);
    const path = isJournal ? ['filesystem', 'journalSize'] : ['pools', index, 'size'];
    throw recipe.faultAt(path, message, hint?.includes('(-') === true ? undefined : hint);
  }
}

/**
 * HOWTO 5.2, from `dd` to `cp -a`: makes the image, its pool label and its filesystem, and copies the root in. Each
 * file is copied once, from where it lies to where it belongs. Making it again costs what getting it out of a cache
 * would: so only its digest is kept.
 */
export function rootImageStage(recipe: OpenGfsRecipe, tree: StageInput): Stage {
  const pool = rootPool(recipe);
  const { name, size, type, device } = pool;
  const { lockProtocol, lockTable, journals, journalSize, blockSize } = recipe.filesystem;
  return {
    name: 'root-image',
    title: `Make ${pool.image} and fill it`,
    module: import.meta.url,
    parameters: {
      epoch: recipe.epoch,
      pool: { name, size, type, device },
      filesystem: { lockProtocol, lockTable, journals, journalSize, blockSize },
    },
    inputs: { tree },
    tools: [],
    needs: [{ kind: 'space', where: 'outputs', bytes: (journals * journalSize) / JOURNAL_SEGMENT_BLOCKS }],
    artifacts: [pool.image],
    keeping: 'digest',
    run: async (context) => {
      const root = await context.inputTree('tree');
      const path = context.outputPath(pool.image);
      const image = createPool(path, pool.size, poolConfigOf(pool));
      try {
        makeFilesystem(image.sink, mkfsOptions(recipe));
        image.sink.flush();
        const filled = await populate(image, root, {
          pace: context.pace,
          onProgress: (bytes) => context.progress(bytes),
        });
        image.close();
        warnOfLosses(filled.notKept, 'which OpenGFS images here do not carry', context);
        return {
          artifacts: { [pool.image]: { kind: 'file', path, data: image.data } },
          facts: {
            inodes: filled.inodes,
            dataBytes: filled.dataBytes,
            blocks: filled.blocks,
            notKept: filled.notKept.length,
          },
        };
      } catch (error) {
        throw atPool(error, recipe);
      } finally {
        image.abandon();
      }
    },
  };
}

/** What does not fit is the recipe's to change. */
function atPool(error: unknown, recipe: OpenGfsRecipe): unknown {
  if (!(error instanceof DiagnosticError)) return error;
  const [first] = error.diagnostics;
  if (first === undefined || !first.message.startsWith('the content needs')) return error;
  const index = recipe.pools.indexOf(rootPool(recipe));
  return recipe.faultAt(['pools', index, 'size'], first.message, first.hint);
}
