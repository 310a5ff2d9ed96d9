import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRecipes } from '../../pipelines/recipe/recipe-folder.js';

/** A recipe of the sample for one node: an ext2 root that any host with loop devices can mount. */
export function writeSampleExt2(path: string): string {
  writeFileSync(
    path,
    `recipe: 1
name: sample-ext2
extends: ${JSON.stringify(join(projectRecipes(), 'sample.yaml'))}
pools: null
cluster: { lockServer: null }
filesystem:
  { type: ext2, size: 64MiB, pool: null, lockProtocol: null, lockTable: null, journals: null, journalSize: null }
`,
  );
  return path;
}
