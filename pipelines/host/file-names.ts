import { basename } from 'node:path';
import type { Source } from '../recipe/recipe.js';

/** Names that the steps use for files and folders of their own. */
const OWN = ['root_fs.ext2', 'root_fs.old', 'stamp', 'cluster-tools', 'modules', 'base.tar', 'loop.variable'];

/**
 * Names for what a recipe names, where the steps run: their own, but for one that would be an image's or that a
 * command would take for an option. A step must never write through such a name into a file of the user's.
 */
export class FileNames {
  private readonly taken: Set<string>;
  private readonly byLocation = new Map<string, string>();

  constructor(images: readonly string[]) {
    this.taken = new Set([...OWN, ...images]);
  }

  of({ location }: Source): string {
    const known = this.byLocation.get(location);
    if (known !== undefined) return known;
    const name = basename(pathOf(location)).replace(/[^\w.+@%,=-]/g, '_');
    const isFree = /^[\w+@%,=]/.test(name) && !/\.cf$/.test(name) && !this.taken.has(name);
    const given = isFree ? name : `${this.byLocation.size + 1}-${name}`;
    this.taken.add(given);
    this.byLocation.set(location, given);
    return given;
  }
}

/** The path of a URL; it is not decoded, so that no part of it becomes another. */
function pathOf(location: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? new URL(location).pathname : location;
}
