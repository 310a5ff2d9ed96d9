import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './tools.js';

/** What making the Debian root needs on the host, for `testWith`. */
export const DEBIAN_ROOT_TOOLS: readonly string[] = [
  'mmdebstrap',
  'mke2fs',
  'tar',
  // It remembers owners and devices for an ordinary user.
  ...(process.getuid?.() === 0 ? [] : ['fakeroot']),
];

/** A Debian root as a tar and as an ext2 image of the same content. */
export interface DebianRoot {
  readonly tar: string;
  readonly ext2: string;
}

/** Makes the Debian root (a minute and 1.4 GB), or uses the one that was made before on this machine. */
export function debianRoot(): DebianRoot {
  const folder = process.env.SSI_IMAGES_FIXTURES ?? join(tmpdir(), 'ssi-images-fixtures');
  mkdirSync(folder, { recursive: true });
  run('sh', [fileURLToPath(new URL('../fixtures/debian-root.sh', import.meta.url)), folder]);
  return { tar: join(folder, 'debian.tar'), ext2: join(folder, 'debian.ext2') };
}
