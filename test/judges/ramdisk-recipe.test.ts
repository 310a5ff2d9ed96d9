import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CLUSTER_ROOT_TOOLS, clusterRoot } from '../support/cluster-root.js';
import { ssiImage } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';

const folder = temporaryFolder();
const defaults = fileURLToPath(new URL('../../recipes/defaults/opengfs.yaml', import.meta.url));
const VERSION = '2.4.16-21um';

/** What roots of 2002 had, by name only: a Debian root has the rest. */
const PROGRAMS = ['passemble', 'memexpd', 'ifconfig'];

function recipe(): string {
  const modules = join(folder, 'modules', VERSION);
  mkdirSync(modules, { recursive: true });
  for (const name of ['pool', 'gfs', 'memexp', 'dummy']) writeFileSync(join(modules, `${name}.o`), name);
  writeFileSync(join(folder, 'linux'), 'a kernel\n');
  writeFileSync(
    join(folder, 'old.yaml'),
    `recipe: 1
name: old
extends: ${defaults}
distribution: debian
variables: {nodes: 3, rootSize: 1GiB}
base: {tar: ${clusterRoot()}}
modules: {directory: ./modules}
ramdisk: {kernelVersion: ${VERSION}, lockServer: on, modules: [dummy], memexpdArguments: [-p, "15697"]}
kernel: {image: ./linux}
configure:
  inittab: null
  files: [${PROGRAMS.map((name) => `{path: /usr/sbin/${name}, content: "#!/bin/sh\\n", mode: '0755'}`).join(', ')}]
`,
  );
  return join(folder, 'old.yaml');
}

describeWith([...CLUSTER_ROOT_TOOLS, 'e2fsck', 'debugfs'], 'a recipe for Linux 2.4 with ramdisks', () => {
  test('gives both, as ext2 that e2fsck takes, and names them', () => {
    const out = join(folder, 'out');
    const built = ssiImage(['build', recipe(), '--out', out, '--cache-dir', join(folder, 'cache')]);
    expect(built.status, built.stderr).toBe(0);
    expect(readFileSync(join(out, 'ssiuml.conf'), 'utf8')).toBe(
      'KERNEL=linux\nROOT=root_fs\nCIDEV=root_cidev\nINITRD=initrd.img\nINITRD_MEMEXP=initrd-memexp.img\n',
    );
    for (const [name, program] of [
      ['initrd.img', '/usr/sbin/passemble'],
      ['initrd-memexp.img', '/usr/sbin/memexpd'],
    ] as const) {
      const image = join(folder, name);
      writeFileSync(image, gunzipSync(readFileSync(join(out, name))));
      run('e2fsck', ['-fn', image]);
      expect(run('debugfs', ['-R', 'ls -p /', image])).toContain('/linuxrc/');
      expect(run('debugfs', ['-R', `stat ${program}`, image])).toMatch(/Type: regular/);
      expect(run('debugfs', ['-R', 'cat /modules/load', image])).toContain('dummy.o');
    }
  });
});
