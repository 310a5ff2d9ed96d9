import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import type { Difference } from '../../images/tree/diff.js';
import type { Tree } from '../../images/tree/tree.js';
import { openTree } from '../../pipelines/open-image.js';
import { expectOutputs } from '../support/build-outputs.js';
import { HOWTO_TOOLS, withHowtoRoot } from '../support/howto-root.js';
import { expectAccepted, JUDGE_TOOLS } from '../support/judge-opengfs.js';
import { loopMountFault } from '../support/loop-mount.js';
import { ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, describeWith } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';

const folder = temporaryFolder();
const base = fileURLToPath(new URL('../../recipes/sample/base.ext2.bz2', import.meta.url));
const MOTD = 'A root made from the recipe "sample" of ssi-images.\n';

/** HOWTO 5.8 speaks of these changes and shows no command for them. */
const NETWORK = ['', '/ifcfg-eth0', '/network-functions'].map(
  (name) => `/etc/sysconfig/network-scripts${name}`,
);

function buildSample(out: string, settings: Readonly<Record<string, string>>): void {
  ssiImageOutput([
    ...['build', 'sample', '--out', out, '--cache-dir', join(folder, 'cache'), '--offline'],
    ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]);
}

/** How an image differs from a root, except at some paths, at each of which it must. */
async function differences(image: string, expected: Tree, except: readonly string[]): Promise<Difference[]> {
  const { tree, close } = await openTree(image, { pace: new Pace() });
  const found = await differencesOf(expected, tree);
  close();
  expect(found.map(({ path }) => path)).toEqual(expect.arrayContaining([...except]));
  return found.filter(({ path }) => !except.includes(path));
}

describeUnless(loopMountFault(), "the recipe sample and the HOWTO's commands", () => {
  describeWith([...HOWTO_TOOLS, ...JUDGE_TOOLS], 'leave the same root, which every judge takes', () => {
    test.each([
      ['redhat', {}, NETWORK],
      ['caldera', { distribution: 'caldera', 'configure.network.patch': 'false' }, []],
      ['debian', { distribution: 'debian', 'configure.network.patch': 'false' }, []],
    ] as const)('with the make rule for %s', async (distribution, settings, ours) => {
      const out = join(folder, distribution);
      buildSample(out, settings);
      const image = join(out, 'root_fs');
      expectOutputs(out, { nodes: 3, rootSize: 160 * 1024 ** 2 });
      const howto = {
        ...{ base, folder: join(folder, 'howto'), rule: `install_ssi_${distribution}`, epoch: 0 },
        also: (root: string) => writeFileSync(join(root, 'etc/motd'), MOTD),
      };
      await withHowtoRoot(howto, async (expected) => {
        expect([...expected.entries()].length).toBeGreaterThan(1400);
        expect(await differences(image, expected, ours)).toEqual([]);
      });
      const { tree, close } = await openTree(image, { pace: new Pace() });
      await expectAccepted({ image, tree, scratch: folder });
      close();
      rmSync(out, { recursive: true });
    });
  });
});
