import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { openTree } from '../../../pipelines/open-image.js';
import { manifestIn } from '../../support/build-outputs.js';
import { compiled } from '../../support/compiled.js';
import { loopMountFault, withLoopMount } from '../../support/loop-mount.js';
import { writeSampleExt2 } from '../../support/sample-ext2.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeUnless, describeWith, run } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { HostRig } from './host-rig.js';

/** Loop devices and mounts below a folder, by the kernel's own lists. */
function standing(folder: string): string[] {
  const loops = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], {
    encoding: 'utf8',
  });
  const own = (line: string): boolean => line.includes(`${folder}/`);
  return [...loops.split('\n'), ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n')].filter(own);
}

describeUnless(loopMountFault(), 'the backend host with real loop devices', () => {
  describeWith(['mke2fs', 'e2fsck', 'make', 'bzip2', 'losetup'], 'builds ext2', () => {
    test('with the same tree as the native backend, by our view and the kernel’s', async () => {
      const folder = temporaryFolder();
      const rig = new HostRig(folder, writeSampleExt2(join(folder, 'recipe.yaml')));
      await rig.native();
      await rig.host();
      expect(standing(folder)).toEqual([]);
      expect(readdirSync(rig.state)).toEqual([]);
      expect(existsSync(`${rig.point}.ext2`)).toBe(false);
      const images = [rig.output('native', 'root_fs'), rig.output('host', 'root_fs')] as const;
      for (const image of images) run('e2fsck', ['-fn', image]);
      const [native, host] = [
        await openTree(images[0], { pace: new Pace() }),
        await openTree(images[1], { pace: new Pace() }),
      ];
      expect(await differencesOf(native.tree, host.tree)).toEqual([]);
      expect([...host.tree.entries()].length).toBeGreaterThan(1400);
      run('node', [compiled('scripts/ssi-image.ts'), 'diff', ...images]);
      for (const image of images) {
        await withLoopMount(image, join(folder, 'look'), async () => {
          const seen = await treeOfDirectory(join(folder, 'look'), new Pace());
          expect(await differencesOf(native.tree, seen)).toEqual([]);
        });
      }
      native.close();
      host.close();
      // The manifest says who wrote it.
      expect(manifestIn(join(folder, 'host')).notes).toEqual([
        expect.stringMatching(/mke2fs.*mount -t ext2/),
      ]);
      expect(manifestIn(join(folder, 'native')).notes).toEqual([]);
      const check = manifestIn(join(folder, 'native')).stages.find(({ name }) => name === 'check');
      expect(check?.facts).toEqual({ names: [...native.tree.entries()].length, e2fsck: true });
    });

    test('and takes everything away when a command fails', async () => {
      const folder = temporaryFolder();
      const recipe = writeSampleExt2(join(folder, 'recipe.yaml'));
      writeFileSync(recipe, readFileSync(recipe, 'utf8').replace('64MiB', '16MiB'), { flag: 'w' });
      writeFileSync(recipe, `${readFileSync(recipe, 'utf8')}clusterTools: { rule: install_nothing }\n`);
      const rig = new HostRig(folder, recipe);
      await expect(rig.host()).rejects.toThrow(/step 5\.4, .* failed with exit code 2[\s\S]*install_nothing/);
      expect(standing(folder)).toEqual([]);
      expect(readdirSync(rig.state)).toEqual([]);
      expect(existsSync(`${rig.point}.ext2`)).toBe(false);
    });

    test('and when it is interrupted while the root is mounted', async () => {
      const folder = temporaryFolder();
      const rig = new HostRig(folder, writeSampleExt2(join(folder, 'recipe.yaml')));
      const controller = new AbortController();
      const watch = setInterval(() => {
        if (rig.lines.some((line) => line.startsWith('5.2 Copy the base'))) controller.abort();
      }, 1);
      await expect(rig.host(controller.signal)).rejects.toThrow(/interrupted/);
      clearInterval(watch);
      expect(standing(folder)).toEqual([]);
      expect(readdirSync(rig.state)).toEqual([]);
    });

    test('but nothing through a symbolic link that leads out of the root', async () => {
      const folder = temporaryFolder();
      const recipe = writeSampleExt2(join(folder, 'recipe.yaml'));
      const [image, outside] = [join(folder, 'base.ext2'), join(folder, 'outside')];
      run('sh', [
        '-c',
        `bunzip2 -c "$1" >"$2"`,
        'sh',
        join(import.meta.dirname, '../../../recipes/sample/base.ext2.bz2'),
        image,
      ]);
      run('mkdir', [outside]);
      writeFileSync(join(outside, 'S25netfs'), '');
      await withLoopMount(
        image,
        join(folder, 'look'),
        async () => {
          run('rm', ['-rf', join(folder, 'look/etc/rc.d/rc3.d')]);
          run('ln', ['-s', outside, join(folder, 'look/etc/rc.d/rc3.d')]);
        },
        'rw',
      );
      writeFileSync(
        recipe,
        `${readFileSync(recipe, 'utf8')}base: { image: ${image} }\nclusterTools: null\nconfigure: { inittab: null }\n`,
      );
      const rig = new HostRig(folder, recipe);
      await expect(rig.host()).rejects.toThrow(/rc3\.d leads out of the root through a symbolic link/);
      expect(existsSync(join(outside, 'S25netfs'))).toBe(true);
      expect(standing(folder)).toEqual([]);
    });
  });
});
