import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { openTree } from '../../pipelines/open-image.js';
import { projectRecipes } from '../../pipelines/recipe/recipe-folder.js';
import { compiled } from '../support/compiled.js';
import { fsckGfs2 } from '../support/fsck-gfs2.js';
import { temporaryFolder } from '../support/temporary.js';
import { run, testWith } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';
import { runUml, UML_TOOLS } from '../support/uml.js';

const TOOLS = [...UML_TOOLS, 'mkfs.gfs2', 'fsck.gfs2', 'losetup', 'make', 'bzip2', 'setpriv'];

/** A kernel of today with gfs2, as Debian has it for User-Mode Linux: the host's own may lack the module. */
testWith(
  process.getuid?.() === 0 ? TOOLS : [...TOOLS, 'root'],
  'the backend host fills a gfs2 root through the kernel, with the tree of the native build',
  async () => {
    const folder = temporaryFolder();
    const program = compiled('scripts/ssi-image.ts');
    symlinkSync(projectRecipes(), join(program, '../../recipes'));
    const recipe = join(folder, 'recipe.yaml');
    writeFileSync(
      recipe,
      `recipe: 1
name: sample-gfs2
extends: ${JSON.stringify(join(projectRecipes(), 'sample.yaml'))}
variables: { nodes: 1 }
pools: null
cluster: { lockServer: null }
filesystem:
  { type: gfs2, size: 128MiB, pool: null, lockProtocol: lock_dlm, lockTable: "uml:root", journals: 1, journalSize: 8MiB }
`,
    );
    const mountPoint = join(folder, 'mnt');
    mkdirSync(mountPoint);
    const build = (backend: string, ...more: string[]): string[] => [
      ...[program, 'build', recipe, '--offline', '--cache-dir', join(folder, `cache-${backend}`)],
      ...['--out', join(folder, backend), '--backend', backend, ...more],
    ];
    run('node', build('native'));
    const words = [process.execPath, ...build('host', '--mount-point', mountPoint)];
    const console = await runUml({
      scratch: folder,
      timeout: 900_000,
      memory: 1024,
      disks: [],
      programs: [],
      modules: ['gfs2', 'loop'],
      // The host's files, with the guest's own processes and devices.
      script: `set -e
mount -t hostfs -o / none /mnt
for each in proc sys dev; do mount --bind /$each /mnt/$each; done
mount -t tmpfs tmpfs /mnt/run
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=${folder} SSI_IMAGES_HOST_STATE=${folder}/state NO_COLOR=1
grep gfs2 /proc/filesystems
chroot /mnt ${words.map((word) => `'${word}'`).join(' ')}
`,
    });
    expect(console).toContain('gfs2');
    const [native, host] = [join(folder, 'native/root_fs'), join(folder, 'host/root_fs')];
    const { status, reports } = fsckGfs2(host, '-n');
    expect(reports).toEqual([]);
    expect(status).toBe(0);
    const a = await openTree(native, { pace: new Pace() });
    const b = await openTree(host, { pace: new Pace() });
    expect(await differencesOf(a.tree, b.tree)).toEqual([]);
    expect([...b.tree.entries()].length).toBeGreaterThan(1400);
    a.close();
    b.close();
  },
);
