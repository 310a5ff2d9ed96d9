import type { CheckedRecipe } from './checked-recipe.js';
import { DEFAULTS } from './defaults.js';
import type { RecipePath } from './recipe.js';
import { keyAt, nodeAt } from './recipe-node.js';

/** Keys of a ramdisk that mean something in one format only. */
const formatKeys: Readonly<Record<string, readonly string[]>> = {
  cpio: ['ownPaths'],
  ext2: ['init', 'lockServer', 'mkinitrd', 'memexpdArguments'],
};

/** Notes what is wrong between the keys that say what nodes are started from. */
export function checkNodeKeys(recipe: CheckedRecipe): void {
  checkRamdisk(recipe);
  checkSsh(recipe);
}

function checkRamdisk(recipe: CheckedRecipe): void {
  if (nodeAt(recipe.root, ['ramdisk'])?.kind !== 'map') return;
  const type = recipe.text(['filesystem', 'type']);
  const path: RecipePath = ['ramdisk', 'format'];
  const isGiven = nodeAt(recipe.root, path) !== undefined;
  const format = isGiven
    ? recipe.text(path)
    : type === 'opengfs' || type === 'gfs2'
      ? DEFAULTS.ramdiskFormat[type]
      : undefined;
  if (format === undefined) return;
  const wanted = type === 'opengfs' || type === 'gfs2' ? DEFAULTS.ramdiskFormat[type] : format;
  if (wanted !== format) {
    recipe.fault(path, `a ramdisk as ${format} can not start a root of the type ${type}`, {
      hint: `Write format: ${wanted}, or leave it out.`,
      related: recipe.here(['filesystem', 'type'], 'the type is here'),
    });
    return;
  }
  for (const [other, keys] of Object.entries(formatKeys)) {
    for (const key of other === format ? [] : keys) {
      const mark = keyAt(recipe.root, ['ramdisk', key]);
      if (mark !== undefined)
        recipe.faults.add(mark, `"${key}" does not go with a ramdisk as ${format}, but as ${other}`);
    }
  }
  const mkinitrd = keyAt(recipe.root, ['ramdisk', 'mkinitrd']);
  if (mkinitrd !== undefined && keyAt(recipe.root, ['ramdisk', 'kernelVersion']) === undefined)
    recipe.faults.add(mkinitrd, '"mkinitrd" needs the version of the kernel, which it is called with', {
      hint: 'Add kernelVersion, such as 2.4.16-21um.',
    });
  const uml = nodeAt(recipe.root, ['ramdisk', 'uml']);
  if (uml?.kind === 'scalar' && (uml.value === false || uml.value === 'off')) {
    recipe.fault(['ramdisk', 'uml'], 'ramdisks are made for User-Mode Linux only', {
      hint: 'Take it away, or write uml: true.',
    });
  }
}

function checkSsh(recipe: CheckedRecipe): void {
  const map = nodeAt(recipe.root, ['ssh']);
  if (map?.kind !== 'map' || recipe.isBroken(map)) return;
  const seed = keyAt(recipe.root, ['ssh', 'seed']);
  const [host, user] = [keyAt(recipe.root, ['ssh', 'hostKey']), keyAt(recipe.root, ['ssh', 'userKey'])];
  const key = host ?? user;
  if (key === undefined) return;
  if (seed !== undefined) {
    recipe.faults.add(key, 'ssh has both a seed and keys: exactly one of them belongs here', {
      related: [{ mark: seed, what: '"seed" is here' }],
    });
  } else if (host === undefined || user === undefined) {
    recipe.faults.add(
      key,
      `ssh has "${host === undefined ? 'userKey' : 'hostKey'}" alone: both keys belong here`,
    );
  }
}
