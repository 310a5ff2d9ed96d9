import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { openTree } from '../../pipelines/open-image.js';
import { DEBIAN_ROOT_TOOLS, debianRoot } from '../support/debian-root.js';
import { expectAccepted, JUDGE_TOOLS } from '../support/judge-opengfs.js';
import { ssiImage, ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';

const folder = temporaryFolder();

/** The HOWTO's way (5.2): a sparse file, a pool label, 15 journals, and then the distribution. */
function makePool(name: string, source: string): string {
  const image = join(folder, name);
  writeFileSync(image, '');
  truncateSync(image, 2 * 1024 ** 3);
  const config = join(folder, `${name}.cf`);
  writeFileSync(config, 'poolname pool0\nsubpools 1\nsubpool 0 0 1 gfs_data\npooldevice 0 0 /dev/loop2 0\n');
  ssiImageOutput(['ptool', config, '--device', `/dev/loop2=${image}`]);
  ssiImageOutput([
    'mkfs_gfs',
    '-q',
    '-p',
    'memexp',
    '-t',
    '/dev/pool/pool0cidev',
    '-j',
    '15',
    '-J',
    '32',
    '-i',
    image,
  ]);
  ssiImageOutput(['copy-in', source, image]);
  return image;
}

describeWith(
  [...DEBIAN_ROOT_TOOLS, ...JUDGE_TOOLS],
  'a Debian root in a pool of 2 GiB with 15 journals',
  () => {
    test.each(['tar', 'ext2'] as const)('from its %s', async (kind) => {
      const source = debianRoot()[kind];
      const image = makePool(`root_fs.${kind}`, source);
      const { tree, close } = await openTree(source, { pace: new Pace() });
      const files = [...tree.entries()].flatMap(({ node }) => (node.type === 'file' ? [node.size] : []));
      expect([...tree.entries()].length).toBeGreaterThan(12_000);
      expect(files.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(500 * 1024 ** 2);
      await expectAccepted({ image, tree, scratch: folder });
      // Devices: the kernel shows all numbers as 0,0, so those are our reader's word.
      const { status, stdout } = ssiImage(['diff', source, image]);
      expect(stdout).toBe('');
      expect(status).toBe(0);
      close();
      rmSync(image);
    });
  },
);
