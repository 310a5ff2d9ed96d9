import { resolve } from 'node:path';
import type { RecipePath, Source } from './recipe.js';
import { type MapNode, nodeAt } from './recipe-node.js';
import { isUrl } from './scalars.js';

interface Attached {
  readonly sha256?: string | undefined;
  readonly mirrors?: readonly string[] | undefined;
}

/** Makes sources of locations: a path refers to the folder of the text that it stands in. */
export class Sources {
  constructor(private readonly root: MapNode) {}

  at(at: RecipePath, location: string, { sha256, mirrors = [] }: Attached): Source {
    return {
      location: isUrl(location) ? location : resolve(this.directoryOf(at), location),
      mirrors,
      ...(sha256 === undefined ? {} : { sha256: sha256.toLowerCase() }),
      at,
    };
  }

  directoryOf(at: RecipePath): string {
    const node = nodeAt(this.root, at);
    return node?.kind === 'scalar' ? node.directory : '.';
  }
}
