import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { kernelForProcessor } from '../../pipelines/nodes/kernel-for-processor.js';
import { openTree } from '../../pipelines/open-image.js';
import { ClusterNode } from '../support/cluster-node.js';
import { DEBIAN_BUILD_TOOLS, debianBuild, debianBuildArguments } from '../support/debian-build.js';
import { expectGfs2Accepted, expectWritable, GFS2_JUDGE_TOOLS } from '../support/judge-gfs2.js';
import { ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';
import { UML_TOOLS } from '../support/uml.js';

const folder = temporaryFolder();

describeWith(
  [...DEBIAN_BUILD_TOOLS, ...GFS2_JUDGE_TOOLS, ...UML_TOOLS, 'fsck.gfs2'],
  'the recipe debian',
  () => {
    let built: ReturnType<typeof debianBuild>;
    beforeAll(() => {
      built = debianBuild();
    });

    test('gives a root as it was configured, by fsck.gfs2 and the gfs2 module, also once the kernel has written', async () => {
      const image = join(folder, 'root_fs');
      run('cp', ['--sparse=always', join(built.folder, 'root_fs'), image]);
      const stage = ssiImageOutput([
        ...debianBuildArguments(join(folder, 'out'), built.cache),
        ...['--only', 'configure', '--json'],
      ]);
      const [artifact] = (JSON.parse(stage) as { artifacts: { path: string }[] }).artifacts;
      const { tree, close } = await openTree(artifact?.path ?? '', { pace: new Pace() });
      expect([...tree.entries()].length).toBeGreaterThan(7000);
      // Nothing of the host that built it.
      expect(tree.get('/etc/resolv.conf')).toBeUndefined();
      expect(tree.get('/etc/hostname')).toMatchObject({ type: 'file', size: 'cluster\n'.length });
      await expectGfs2Accepted({ image, tree, scratch: folder });
      close();
      await expectWritable(image, folder);
      rmSync(image);
    });

    test('gives the same bytes again when its packages are locked', () => {
      const out = join(folder, 'again');
      run('cp', ['-r', '--sparse=always', built.folder, out]);
      const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8');
      // Another cache, so that it is really made again.
      ssiImageOutput([...debianBuildArguments(out, join(folder, 'cache')), '--locked']);
      expect(readFileSync(join(out, 'SHA256SUMS'), 'utf8')).toBe(sums);
      for (const name of [out, join(folder, 'cache')]) rmSync(name, { recursive: true });
    });

    test('gives what boots: a node that is ready, on the root that was made', async () => {
      const root = join(folder, 'booted');
      run('cp', ['--sparse=always', join(built.folder, 'root_fs'), root]);
      const node = new ClusterNode({
        number: 1,
        kernel: kernelForProcessor(join(built.folder, 'linux'), join(folder, 'linux')),
        ramdisk: join(built.folder, 'initrd.img'),
        root,
        commandLine: ['cluster=new'],
        scratch: folder,
      });
      try {
        const shown = await node.shows(/^NODE-READY node1/m, 120_000);
        expect(shown).toMatch(/^ramdisk\[[\d.]+\]: root mounted/m);
        // A driver of the kernel that has nothing to do with this.
        expect(shown.replace(/^mmapper.*$/m, '')).not.toMatch(/No such file|not found|failed/i);
      } finally {
        await node.kill();
      }
      rmSync(root);
    });
  },
);
