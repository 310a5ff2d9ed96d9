import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cache } from '../cache.js';
import { sha256 } from '../canonical-json.js';
import { makeFolder } from '../make-folder.js';
import { namesIn } from '../names-in.js';
import { encodeLayout, type Layout, partsSchema } from './layout.js';

const FOLDER = 'remote';

/**
 * The layouts of blobs in the local cache, as far as they were cut and compressed by now: the next build need not do that
 * again, also when this one did not get to the end. A layout that is lost or damaged is only made again.
 */
export class LayoutBook {
  private readonly folder: string;

  constructor(private readonly cache: Cache) {
    this.folder = join(cache.folder, FOLDER);
  }

  /** What is known of a blob's layout: from its beginning, perhaps not to its end. */
  read(blob: string): Layout {
    try {
      const [digest, body = ''] = readFileSync(join(this.folder, blob), 'utf8').split('\n');
      return digest === sha256(body) ? partsSchema.parse(JSON.parse(body)) : [];
    } catch {
      return [];
    }
  }

  write(blob: string, layout: Layout): void {
    const path = this.cache.scratch.path('layout');
    try {
      makeFolder(this.folder);
      const body = encodeLayout(layout).toString('utf8').trimEnd();
      writeFileSync(path, `${sha256(body)}\n${body}\n`, { flag: 'wx' });
      renameSync(path, join(this.folder, blob));
    } catch {
      // A full disk perhaps: then it is made again.
      rmSync(path, { force: true });
    }
  }
}

/** Forgets the layouts of blobs that are gone. */
export function sweepLayouts(cache: Cache): void {
  for (const blob of namesIn(join(cache.folder, FOLDER)))
    if (!cache.hasFile(blob)) rmSync(join(cache.folder, FOLDER, blob), { force: true });
}
