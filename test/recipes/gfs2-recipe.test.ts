import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { openTree } from '../../pipelines/open-image.js';
import { type CommandResult, ssiImage } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';

const folder = temporaryFolder();
const base = fileURLToPath(new URL('../../recipes/sample/base.ext2.bz2', import.meta.url));
const recipe = join(folder, 'small.yaml');
const out = join(folder, 'out');

writeFileSync(
  recipe,
  `recipe: 1
name: small
distribution: redhat
base: {image: ${base}}
cluster: {nodes: 2, network: 192.168.50.0/24}
filesystem: {type: gfs2, size: 96MiB, lockTable: "ssi:root", journalSize: 8MiB}
kernel: {path: /sbin/init}
configure:
  files: [{path: /etc/added, content: "added\\n", mode: '0640', uid: 7}]
`,
);

function build(...set: string[]): CommandResult {
  return ssiImage([
    ...['build', recipe, '--out', out, '--cache-dir', join(folder, 'cache')],
    ...set.flatMap((assignment) => ['--set', assignment]),
  ]);
}

describeWith(['mkfs.gfs2', 'fsck.gfs2'], 'a recipe with a GFS2 root', () => {
  test('gives a bare image with all of the base, a kernel, and the file that names them', async () => {
    const { status, stderr } = build();
    expect(status, stderr).toBe(0);
    run('fsck.gfs2', ['-n', join(out, 'root_fs')]);
    expect(readFileSync(join(out, 'ssiuml.conf'), 'utf8')).toBe('KERNEL=linux\nROOT=root_fs\n');
    expect(statSync(join(out, 'linux')).mode & 0o111).toBe(0o111);
    expect(existsSync(join(out, 'root_cidev'))).toBe(false);
    const [before, after] = [
      await openTree(base, { pace: new Pace() }),
      await openTree(join(out, 'root_fs'), { pace: new Pace() }),
    ];
    const differences = await differencesOf(before.tree, after.tree);
    expect(differences.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      'changed /etc',
      'added /etc/added',
    ]);
    for (const { close } of [before, after]) close();
    // The same again, made from nothing.
    const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8');
    const again = ssiImage(['build', recipe, '--out', out, '--no-cache']);
    expect(again.status, again.stderr).toBe(0);
    expect(readFileSync(join(out, 'SHA256SUMS'), 'utf8')).toBe(sums);
  });

  test.each([
    [
      'journals that do not fit',
      ['filesystem.size=20MiB'],
      1,
      `--set: error: mkfs.gfs2 failed (exit status 255): gfs2 will not fit on this device.
  --set filesystem.size=20MiB
                        ^^^^^
  Make the image larger, or give it fewer or smaller journals.`,
    ],
    [
      'a root that does not fit',
      ['cluster.nodes=1', 'filesystem.size=17MiB'],
      1,
      /--set: error: the content needs \d+ blocks of 4096 bytes \([\d.]+ MiB\), but only \d+ \([\d.]+ MiB\) are free\n {2}--set filesystem.size=17MiB\n {24}\^{5}\n {2}Make the image at least \d+ MiB larger\./,
    ],
    [
      'no kernel where it should be',
      ['kernel.path=/usr/bin/linux.uml'],
      2,
      `--set: error: the root has no kernel /usr/bin/linux.uml: it is not there
  --set kernel.path=/usr/bin/linux.uml
                    ^^^^^^^^^^^^^^^^^^
  Add the Debian package user-mode-linux to the base.`,
    ],
    [
      'a root without what a ramdisk is made of',
      ['ramdisk.interface=eth0'],
      1,
      `--set: error: the root lacks 9 things that the ramdisk is made of
  --set ramdisk.interface=eth0
        ^^^^^^^
  the kernel module configfs
  the kernel module dlm
  the kernel module gfs2 (did you mean gfs?)
  the program corosync
  the program corosync-quorumtool
  the program corosync-cfgtool
  the program dlm_controld
  the program dlm_tool
  the program busybox
  Add to the base the Debian packages busybox-static, corosync, dlm-controld.`,
    ],
  ])('%s', (_name, set, code, message) => {
    const before = readFileSync(join(out, 'SHA256SUMS'), 'utf8');
    const { status, stderr } = build(...set);
    expect(stderr).toMatch(typeof message === 'string' ? new RegExp(escaped(message)) : message);
    expect(status).toBe(code);
    expect(readFileSync(join(out, 'SHA256SUMS'), 'utf8')).toBe(before);
  });
});

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
