import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './tools.js';

/** What making the root needs on the host, for `testWith`. */
export const CLUSTER_ROOT_TOOLS: readonly string[] = ['mmdebstrap'];

const SUITE = 'bookworm';
const PACKAGES = [
  ...['sysvinit-core', 'initscripts', 'procps', 'iproute2', 'netbase'],
  ...['corosync', 'dlm-controld', 'gfs2-utils', 'busybox-static', 'user-mode-linux'],
];

/**
 * A Debian root with all that a node of a GFS2 cluster needs, as a tar: made once a machine (a minute and 350 MB), in
 * the folder SSI_IMAGES_FIXTURES or the system's for temporary files.
 */
export function clusterRoot(): string {
  const folder = process.env.SSI_IMAGES_FIXTURES ?? join(tmpdir(), 'ssi-images-fixtures');
  const tar = join(folder, 'cluster.tar');
  if (existsSync(tar)) return tar;
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, '.making-'));
  try {
    const made = join(work, 'cluster.tar');
    const mode = process.getuid?.() === 0 ? 'root' : 'unshare';
    run(
      'mmdebstrap',
      [
        '--quiet',
        `--mode=${mode}`,
        '--variant=minbase',
        ...['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
        `--include=${PACKAGES.join(',')}`,
        SUITE,
        made,
      ],
      { env: { SOURCE_DATE_EPOCH: '1030000000' } },
    );
    renameSync(made, tar);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return tar;
}
