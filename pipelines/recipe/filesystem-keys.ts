import type { CheckedRecipe } from './checked-recipe.js';
import type { RecipePath } from './recipe.js';
import { keyAt, nodeAt } from './recipe-node.js';
import { noteMissing } from './validate.js';

interface Rules {
  /** Keys that a recipe needs with this filesystem. */
  readonly needs: readonly RecipePath[];
  /** Keys that mean nothing with it. */
  readonly without: readonly RecipePath[];
  readonly lockProtocols?: readonly string[];
  /** How its lock table is named. */
  readonly lockTable?: { readonly pattern: RegExp; readonly what: string };
  readonly blockSizes: { readonly least: number; readonly most: number };
  /** Least size of a journal in bytes. */
  readonly journalLeast?: number;
}

const MIB = 1024 ** 2;

const rules: Readonly<Record<string, Rules>> = {
  opengfs: {
    needs: [['pools'], ['filesystem', 'pool'], ['filesystem', 'lockTable'], ['cluster', 'lockServer']],
    without: [
      ['filesystem', 'image'],
      ['filesystem', 'size'],
    ],
    lockProtocols: ['memexp', 'nolock', 'stats', 'lock_nolock', 'lock_gulm', 'lock_dlm'],
    lockTable: { pattern: /^\/dev\/pool\//, what: 'the device of a pool, such as /dev/pool/pool0cidev' },
    blockSizes: { least: 512, most: 65536 },
    journalLeast: MIB,
  },
  gfs2: {
    needs: [
      ['filesystem', 'size'],
      ['filesystem', 'lockTable'],
    ],
    without: [['pools'], ['lockTable'], ['filesystem', 'pool'], ['cluster', 'lockServer']],
    lockProtocols: ['lock_dlm', 'lock_nolock'],
    lockTable: { pattern: /:/, what: 'CLUSTER:FILESYSTEM, such as ssi:root' },
    // What mkfs.gfs2 takes.
    blockSizes: { least: 512, most: 4096 },
    journalLeast: 8 * MIB,
  },
  ext2: {
    needs: [['filesystem', 'size']],
    // No node shares it: it has no locks and no journals, and starts without a ramdisk.
    without: [
      ['pools'],
      ['lockTable'],
      ['ramdisk'],
      ['filesystem', 'pool'],
      ['filesystem', 'lockProtocol'],
      ['filesystem', 'lockTable'],
      ['filesystem', 'journals'],
      ['filesystem', 'journalSize'],
      ['cluster', 'lockServer'],
    ],
    blockSizes: { least: 1024, most: 4096 },
  },
};

/** Notes the keys that are missing, without meaning or out of bounds for the type of filesystem of a recipe. */
export function checkFilesystemKeys(recipe: CheckedRecipe): void {
  const type = recipe.text(['filesystem', 'type']);
  const rule = type === undefined ? undefined : rules[type];
  if (rule === undefined || type === undefined) return;
  const withType = `with filesystem.type: ${type}`;
  for (const path of rule.needs) {
    const parent = path.slice(0, -1);
    const map = nodeAt(recipe.root, parent);
    // A map that is missing or has an unknown key is said to be wrong already.
    if (map === undefined || recipe.isBroken(map) || nodeAt(recipe.root, path) !== undefined) continue;
    noteMissing(recipe.root, path, recipe.faults, `, which is needed ${withType}`);
  }
  const place = recipe.here(['filesystem', 'type'], 'the type is here');
  for (const path of rule.without) {
    const mark = keyAt(recipe.root, path);
    if (mark === undefined) continue;
    recipe.faults.add(mark, `"${path.join('.')}" does not go ${withType}`, {
      hint: `Take it away${mark.text.isArgument ? '' : ', or write null where a recipe that is extended has it'}.`,
      related: place,
    });
  }
  const protocol = recipe.text(['filesystem', 'lockProtocol']);
  if (protocol !== undefined && rule.lockProtocols?.includes(protocol) === false) {
    recipe.fault(['filesystem', 'lockProtocol'], `${protocol} does not go ${withType}`, {
      hint: `It has ${rule.lockProtocols.join(', ')}.`,
      related: place,
    });
  }
  checkLockTable(recipe, rule, withType);
  const blockSize = recipe.number(['filesystem', 'blockSize']);
  const { least, most } = rule.blockSizes;
  if (blockSize !== undefined && (blockSize < least || blockSize > most))
    recipe.fault(['filesystem', 'blockSize'], `a block has ${least} to ${most} bytes ${withType}`);
  const journalSize = recipe.size(['filesystem', 'journalSize'], '32MiB');
  if (journalSize !== undefined && rule.journalLeast !== undefined && journalSize < rule.journalLeast) {
    recipe.fault(
      ['filesystem', 'journalSize'],
      `a journal has at least ${rule.journalLeast / MIB}MiB ${withType}`,
    );
  }
}

function checkLockTable(recipe: CheckedRecipe, { lockTable }: Rules, withType: string): void {
  const table = recipe.text(['filesystem', 'lockTable']);
  if (table === undefined || lockTable === undefined || lockTable.pattern.test(table)) return;
  recipe.fault(['filesystem', 'lockTable'], `lockTable is "${table}": ${withType} it is ${lockTable.what}`);
}
