// npm run samples: makes recipes/sample/base.ext2.bz2 from the text in recipes/sample/base, and beside it the archive of
// what the sample's make rule installs on it. Needs bzip2, make and fakeroot.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { makeBaseImage } from './samples/base-image.js';
import { installedTools } from './samples/installed-tools.js';

// npm runs this in the checkout.
const folder = join('recipes', 'sample');
const scratch = mkdtempSync(join(folder, '.making-'));
try {
  const image = join(scratch, 'base.ext2');
  const { blockCount, freeBlocks, inodeCount, freeInodes } = await makeBaseImage(folder, image);
  writeFileSync(join(folder, 'cluster-tools.redhat.cpio'), await installedTools(folder, scratch));
  await $`bzip2 -9 ${image}`;
  renameSync(`${image}.bz2`, join(folder, 'base.ext2.bz2'));
  process.stderr.write(
    `recipes/sample/base.ext2.bz2: ${inodeCount - freeInodes} inodes, ${blockCount - freeBlocks} of ${blockCount} blocks\n`,
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
