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
  'bzip2',
  'flock',
  // It remembers owners and devices for an ordinary user.
  ...(process.getuid?.() === 0 ? [] : ['fakeroot']),
];

/** A Debian root as a tar, as an ext2 image of the same content, and that image compressed. */
export interface DebianRoot {
  readonly tar: string;
  readonly ext2: string;
  /** One bzip2 stream: 1536 MiB in some 200. */
  readonly bz2: string;
}

/** Makes the Debian root (two minutes and 1.6 GB), or uses the one that was made before on this machine. */
export function debianRoot(): DebianRoot {
  const folder = process.env.SSI_IMAGES_FIXTURES ?? join(tmpdir(), 'ssi-images-fixtures');
  mkdirSync(folder, { recursive: true });
  const script = fileURLToPath(new URL('../fixtures/debian-root.sh', import.meta.url));
  // Tests that run at the same time wait for the first of them.
  run('flock', [join(folder, 'debian-root.lock'), 'sh', script, folder]);
  const made = (name: string): string => join(folder, name);
  return { tar: made('debian.tar'), ext2: made('debian.ext2'), bz2: made('debian.ext2.bz2') };
}
