import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { openTree } from '../../../pipelines/open-image.js';
import { projectRecipes } from '../../../pipelines/recipe/recipe-folder.js';
import { compiled } from '../../support/compiled.js';
import { loopMountFault } from '../../support/loop-mount.js';
import { writeStandIns } from '../../support/opengfs-stand-ins.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeUnless, describeWith, findTool } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { HostRig } from './host-rig.js';

/** Two loop devices that nobody uses, for the configuration files: the last ones, as others begin at the first. */
function freeDevices(): string[] {
  const names = readdirSync('/dev').filter((name) => /^loop\d+$/.test(name));
  const free = names.filter(
    (name) => spawnSync('losetup', [`/dev/${name}`], { stdio: 'ignore' }).status !== 0,
  );
  return free
    .sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)))
    .slice(0, 2)
    .map((name) => `/dev/${name}`);
}

/** The sample on real loop devices, with more in its recipe. */
function makeRig(more = ''): { rig: HostRig; tools: string; devices: string[] } {
  const folder = temporaryFolder();
  const recipe = join(folder, 'recipe.yaml');
  const devices = freeDevices();
  writeFileSync(
    recipe,
    `recipe: 1
name: sample-host
extends: ${JSON.stringify(join(projectRecipes(), 'sample.yaml'))}
variables: { nodes: 1, rootSize: 64MiB }
pools:
  - { name: pool0cidev, image: root_cidev, size: 4MiB, device: ${devices[0]} }
  - { name: pool0, image: root_fs, size: "\${rootSize}", device: ${devices[1]} }
${more}`,
  );
  const tools = join(folder, 'tools');
  writeStandIns(tools, compiled('scripts/ssi-image.ts'));
  return { rig: new HostRig(folder, recipe, tools), tools, devices };
}

const fault =
  loopMountFault() ??
  (existsSync('/dev/pool')
    ? 'needs a host without pools'
    : freeDevices().length < 2
      ? 'needs two free loop devices'
      : undefined);
describeUnless(fault, 'the backend host for OpenGFS, with stand-ins on real loop devices', () => {
  describeWith(['make', 'bzip2', 'losetup'], 'calls the tools', () => {
    test('in the order of the HOWTO, and leaves the tree of the native build', async () => {
      const { rig, tools, devices } = makeRig();
      await rig.native();
      await rig.host();
      const calls = readFileSync(join(tools, 'calls'), 'utf8').trim().split('\n');
      expect(calls.filter((line) => !line.includes('mnt.ext2'))).toEqual([
        'ptool pool0cidev.cf',
        'ptool pool0.cf',
        'passemble ',
        'gfsconf -c gfscf.cf',
        'mkfs_gfs -p memexp -t /dev/pool/pool0cidev -j 1 -J 32 -i /dev/pool/pool0',
        `mount -t gfs -o hostdata=192.168.50.1 /dev/pool/pool0 ${rig.point}`,
        `umount ${rig.point}`,
        'passemble -r all',
      ]);
      expect(existsSync('/dev/pool')).toBe(false);
      expect(freeDevices()).toEqual(devices);
      expect(readdirSync(rig.point)).toEqual([]);
      const native = await openTree(rig.output('native', 'root_fs'), { pace: new Pace() });
      const host = await openTree(rig.output('host', 'root_fs'), { pace: new Pace() });
      expect(await differencesOf(native.tree, host.tree)).toEqual([]);
      native.close();
      host.close();
      for (const name of ['root_cidev', 'pool0.cf', 'pool0cidev.cf', 'gfscf.cf'])
        expect(readFileSync(rig.output('host', name)).equals(readFileSync(rig.output('native', name)))).toBe(
          true,
        );
    });

    describeWith(['busybox'], 'and in the root', () => {
      const program = '/sbin/cluster_mkinitrd';
      const ramdisk = (script: string): string => `
ramdisk: { kernelVersion: 2.4.16-21um, mkinitrd: ${program} }
configure:
  files:
    - { path: /bin/sh, from: ${findTool('busybox')}, mode: '0755' }
    - { path: ${program}, mode: '0755', content: ${JSON.stringify(`#!/bin/sh\n${script}\n`)} }
`;

      test('its own program for the ramdisk, which the output folder gets', async () => {
        const { rig } = makeRig(ramdisk('echo "$0 $*: of $PWD" > "$2"'));
        await rig.host();
        const made = `${program} --uml /initrd-ssi.img 2.4.16-21um: of /\n`;
        expect(readFileSync(rig.output('host', 'initrd.img'), 'latin1')).toBe(made);
        expect(readFileSync(rig.output('host', 'ssiuml.conf'), 'latin1')).toMatch(/^INITRD=.*initrd\.img/m);
        const { tree, close } = await openTree(rig.output('host', 'root_fs'), { pace: new Pace() });
        expect(tree.get(program)?.type).toBe('file');
        expect(tree.get('/initrd-ssi.img')).toBeUndefined();
        close();
      });

      test.each([
        ['makes nothing', 'true', 'it made no file /initrd-ssi.img'],
        ['fails', 'echo no modules; exit 3', 'no modules'],
      ])('one that %s ends the build, and no pool or loop device is left', async (_, script, message) => {
        const { rig, devices } = makeRig(ramdisk(script));
        await expect(rig.host()).rejects.toThrow(/4\.8|ramdisk/i);
        expect(rig.lines.join('\n')).toContain(message);
        expect(existsSync('/dev/pool')).toBe(false);
        expect(freeDevices()).toEqual(devices);
      });
    });
  });
});
