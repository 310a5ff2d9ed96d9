import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SSI_IMAGE } from './ssi-image.js';
import { run } from './tools.js';

/** What building the recipe `debian` needs on the host, for `testWith`. */
export const DEBIAN_BUILD_TOOLS: readonly string[] = ['mmdebstrap', 'mkfs.gfs2', 'make', 'fakeroot', 'flock'];

/** Folder of what takes long to make, once a machine. */
export const FIXTURES = process.env.SSI_IMAGES_FIXTURES ?? join(tmpdir(), 'ssi-images-fixtures');

/** Arguments of a build of the recipe `debian` into a folder, with keys that are no secret. */
export function debianBuildArguments(out: string, cache: string, ...more: string[]): string[] {
  return [
    ...['build', 'debian', '--out', out, '--cache-dir', cache],
    ...['--set', 'ssh.seed=no secret: for tests', ...more],
  ];
}

/** The outputs of the recipe `debian`: half a minute and 350 MB for the first who asks on a machine. */
export function debianBuild(): { readonly folder: string; readonly cache: string } {
  mkdirSync(FIXTURES, { recursive: true });
  const [folder, cache] = [join(FIXTURES, 'debian'), join(FIXTURES, 'cache')];
  // Tests that run at the same time wait for the first of them.
  const lock = join(FIXTURES, 'debian-build.lock');
  run('flock', [lock, process.execPath, SSI_IMAGE, ...debianBuildArguments(folder, cache)]);
  return { folder, cache };
}
