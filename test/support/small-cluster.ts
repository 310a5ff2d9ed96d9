import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { Pace } from '../../images/bytes/pace.js';
import { populate } from '../../images/gfs/writer.js';
import type { Tree } from '../../images/tree/tree.js';
import { RootEditor } from '../../pipelines/configure/root-editor.js';
import { makeGfs2 } from '../../pipelines/make-gfs2.js';
import { openTree } from '../../pipelines/open-image.js';
import { cpioRamdiskTree } from '../../pipelines/ramdisk/cpio-ramdisk.js';
import { findModulesFolder } from '../../pipelines/ramdisk/modules-folder.js';
import { writeCpioRamdisk } from '../../pipelines/ramdisk/write-ramdisk.js';
import { openWritable } from '../../pipelines/writable-image.js';
import { clusterRoot } from './cluster-root.js';

const EPOCH = 1_030_000_000;
const NODES = 3;

/** What the root's own init has to do here: say that it is up, take commands, go when asked. */
const INITTAB = `id:2:initdefault:
si::sysinit:/bin/mount -o remount,rw /
l0:06:wait:/etc/goodbye
r2:2:wait:/etc/ready
a1:2:respawn:/usr/sbin/node-agent /dev/tty1
`;
const READY = `#!/bin/sh
echo "NODE-READY $(hostname)" > /dev/console
`;
const GOODBYE = `#!/bin/sh
exec > /dev/console 2>&1
sync
mount -o remount,ro /
echo "NODE-LEFT $(hostname)"
poweroff -f
`;

const AGENT = new URL('../../recipes/debian/node-tools/node-agent', import.meta.url);

/** Makes `root_fs` and `initrd.img` of a small cluster in a folder: a Debian root with an init of few words. */
export async function makeSmallCluster(folder: string): Promise<{ root: string; ramdisk: string }> {
  const pace = new Pace();
  const { tree, close } = await openTree(clusterRoot(), { pace });
  const root = join(folder, 'root_fs');
  const ramdisk = join(folder, 'initrd.img');
  try {
    await makeGfs2(
      root,
      {
        size: 1024 ** 3,
        lockProtocol: 'lock_dlm',
        lockTable: 'uml:root',
        journals: NODES,
        journalMiB: 32,
        blockSize: 4096,
        time: EPOCH,
      },
      { pace },
    );
    const image = openWritable(root, []);
    try {
      await populate(image, withInit(tree), { pace });
      image.close();
    } finally {
      image.abandon();
    }
    const { tree: contents } = await cpioRamdiskTree(tree, {
      epoch: EPOCH,
      modulesFolder: findModulesFolder(tree),
      modules: [],
      addresses: Array.from({ length: NODES }, (_, index) => `10.77.0.${index + 1}`),
      prefix: 24,
      interface: 'eth0',
      lockTable: 'uml:root',
      token: 1000,
      rootDevice: '/dev/ubda',
      ownPaths: ['/var/log', '/var/tmp', '/etc/machine-id'],
    });
    await writeCpioRamdisk(ramdisk, contents, { epoch: EPOCH, pace });
  } finally {
    close();
  }
  return { root, ramdisk };
}

function withInit(tree: Tree): Tree {
  const editor = new RootEditor(tree, EPOCH);
  const put = (path: string, content: string | Buffer, mode: number): void => {
    const bytes = Buffer.from(content);
    editor.put(byteStringFromText(path), {
      type: 'file',
      mode,
      uid: 0,
      gid: 0,
      mtime: { seconds: EPOCH, nanoseconds: 0 },
      size: bytes.length,
      content: { kind: 'inline', bytes },
    });
  };
  put('/etc/inittab', INITTAB, 0o644);
  put('/etc/ready', READY, 0o755);
  put('/etc/goodbye', GOODBYE, 0o755);
  put('/usr/sbin/node-agent', readFileSync(AGENT), 0o755);
  return editor.build();
}
