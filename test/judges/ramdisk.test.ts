import { copyFileSync, existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import { isElf } from '../../images/elf/header.js';
import { openContent } from '../../images/tree/content-source.js';
import type { Tree } from '../../images/tree/tree.js';
import { openTree } from '../../pipelines/open-image.js';
import { cpioRamdiskTree } from '../../pipelines/ramdisk/cpio-ramdisk.js';
import { findModulesFolder } from '../../pipelines/ramdisk/modules-folder.js';
import { programFiles } from '../../pipelines/ramdisk/shared-libraries.js';
import { writeCpioRamdisk } from '../../pipelines/ramdisk/write-ramdisk.js';
import { ClusterNode, multicastWorks } from '../support/cluster-node.js';
import { CLUSTER_ROOT_TOOLS, clusterRoot } from '../support/cluster-root.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';
import { runUml, UML_TOOLS } from '../support/uml.js';
import { umlKernel } from '../support/uml-kernel.js';

const folder = temporaryFolder();
const pace = new Pace();

describeWith([...CLUSTER_ROOT_TOOLS, 'tar', 'bwrap'], "a Debian root's programs", () => {
  test('have the libraries that its own ldd finds', async () => {
    const tar = clusterRoot();
    const { tree, close } = await openTree(tar, { pace });
    const place = join(folder, 'root');
    mkdirSync(place);
    run('tar', ['-C', place, '--no-same-owner', '--exclude=./dev/*', '-xf', tar]);
    const programs = [...tree.entries()].flatMap(({ path, node }) =>
      node.type === 'file' && /^\/usr\/s?bin\//.test(path) && isDynamic(tree, path) ? [path] : [],
    );
    expect(programs.length).toBeGreaterThan(250);
    writeFileSync(join(place, 'list'), `${programs.join('\n')}\n`);
    const script = 'while read -r p; do echo "= $p"; ldd "$p"; done < /list';
    const listing = run('bwrap', [
      '--ro-bind',
      place,
      '/',
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      'sh',
      '-c',
      script,
    ]);
    for (const section of listing.split(/^= /m).slice(1)) {
      const [program = '', ...lines] = section.trim().split('\n');
      // The files that the paths lead to: ldd names links.
      const theirs = lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
      const wanted = [...programFiles(tree, theirs).entries.keys(), program].filter(
        (path) => tree.get(path)?.type === 'file',
      );
      const { entries, missing, extraFolders } = programFiles(tree, [program]);
      const ours = [...entries.keys()].filter((path) => tree.get(path)?.type === 'file');
      expect(missing, program).toEqual([]);
      expect(extraFolders, program).toEqual([]);
      expect(ours, program).toEqual([...new Set(wanted)].sort());
    }
    close();
  });
});

function isDynamic(tree: Tree, path: string): boolean {
  const node = tree.get(path);
  if (node?.type !== 'file') return false;
  const source = openContent(node, path);
  try {
    return (
      isElf(source) &&
      [...programFiles(tree, [path]).entries.keys()].some((name) => name.includes('/ld-linux'))
    );
  } finally {
    source.close();
  }
}

/** The shared root's first program here: it shows what it finds, and does what its test wants of it. */
const INIT = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $(hostname) in
  node2)
    echo from2 > /shared
    echo own > /var/log/own
    sync
    echo "NODE-READY $(cat /etc/hostname) pid $$ args $*"
    sleep 1000
    ;;
esac
echo "NODE-READY $(cat /etc/hostname) pid $$ args $*"
grep -v cgroup /proc/mounts
dlm_tool ls
grep -s . /run/sendsigs.omit.d/* | wc -l
echo "END-OF-STATE"
case $* in
  *alone*) ;;
  *)
    until [ -s /shared ]; do sleep 0.2; done
    echo "SAW $(cat /shared)"
    until [ "$(corosync-quorumtool -s | sed -n 's/^Nodes: *//p')" = 1 ]; do sleep 0.2; done
    echo after > /after
    cat /cluster/node2/var/log/own
    [ -e /var/log/own ] || echo "SURVIVED $(cat /shared /after | tr '\\n' ' ')"
    ;;
esac
sync
mount -o remount,ro / && echo "READ-ONLY"
echo o > /proc/sysrq-trigger
sleep 10
`;

const TOOLS = [...CLUSTER_ROOT_TOOLS, ...UML_TOOLS, 'mkfs.gfs2', 'fsck.gfs2', 'tar'];

describeWith(TOOLS, 'a GFS2 root of Debian, booted from its ramdisk', () => {
  const filled = join(folder, 'filled');
  const ramdisk = join(folder, 'initrd.img');
  let kernel = '';

  beforeAll(async () => {
    const tar = clusterRoot();
    kernel = umlKernel(folder);
    writeFileSync(filled, '');
    truncateSync(filled, 1024 ** 3);
    run('mkfs.gfs2', ['-q', '-O', '-p', 'lock_dlm', '-t', 'uml:root', '-j', '3', '-J', '32', filled]);
    await runUml({
      scratch: folder,
      timeout: 300_000,
      disks: [
        { path: filled, readOnly: false },
        { path: tar, readOnly: true },
      ],
      programs: ['tar'],
      modules: ['gfs2'],
      script: `set -e
mount -t gfs2 -o lockproto=lock_nolock,noatime,acl /dev/ubda /mnt
/bin/tar -x -f /dev/ubdb -C /mnt --numeric-owner --same-owner -p --anchored --exclude './dev/*'
cat > /mnt/test-init <<'END'
${INIT}END
chmod 755 /mnt/test-init
umount /mnt
`,
    });
    const { tree, close } = await openTree(tar, { pace });
    const { tree: contents } = await cpioRamdiskTree(tree, {
      epoch: 1_030_000_000,
      modulesFolder: findModulesFolder(tree),
      modules: [],
      addresses: ['10.77.0.1', '10.77.0.2', '10.77.0.3'],
      prefix: 24,
      interface: 'eth0',
      lockTable: 'uml:root',
      token: 1000,
      rootDevice: '/dev/ubda',
      ownPaths: ['/var/log', '/var/tmp', '/etc/machine-id'],
    });
    await writeCpioRamdisk(ramdisk, contents, { epoch: 1_030_000_000, pace });
    close();
  });

  function start(number: number, root: string, ...commandLine: string[]): ClusterNode {
    return new ClusterNode({
      number,
      kernel,
      ramdisk,
      root,
      commandLine: ['init=/test-init', ...commandLine],
      scratch: folder,
    });
  }

  function rootCopy(name: string): string {
    const root = join(folder, name);
    run('cp', ['--sparse=always', filled, root]);
    return root;
  }

  test('one node: modules, corosync, dlm_controld, the root, and its init', async () => {
    const root = rootCopy('one');
    const node = start(1, root, 'cluster=new', 'alone');
    try {
      const output = await node.shows(/^READ-ONLY/m, 90_000);
      const steps = [...output.matchAll(/^ramdisk\[[\d.]+\]: (.*?)\r?$/gm)].map((match) => match[1]);
      expect(steps).toEqual([
        'node1 starts, cluster=new',
        'modules loaded',
        'network up: eth0 10.77.0.1',
        'corosync up',
        'dlm_controld up, fencing off',
        'joined the lockspace',
        'root mounted',
        'handing over to /test-init',
      ]);
      expect(output).toMatch(/^NODE-READY node1 pid 1 args alone\r?$/m);
      for (const line of [
        '/dev/ubda / gfs2 rw,',
        '/dev/ubda /var/log gfs2 rw,',
        'rootfs /run/cluster rootfs ',
        'tmpfs /tmp tmpfs ',
      ])
        expect(output).toContain(line);
      // Nothing of the ramdisk is left mounted.
      expect(output).not.toMatch(/ \/(root|cluster)[/ ]/);
      expect(output).toMatch(/^name +root\r?\n[\s\S]*^members +1 \r?$/m);
      expect(output).toMatch(/^4\r?\nEND-OF-STATE/m);
    } finally {
      await node.kill();
    }
    expect(run('fsck.gfs2', ['-n', root])).toContain('fsck.gfs2 complete');
    rmSync(root);
  });

  test('a node that fails says so and ends', async () => {
    const root = rootCopy('failing');
    for (const [words, reason] of [
      [['cluster=maybe'], 'cluster=maybe is neither new nor join'],
      [['cluster=new', 'root=/dev/ubdh'], 'mount /dev/ubdh'],
    ] as const) {
      const node = start(1, root, ...words);
      try {
        const output = await node.shows(/System halted|Power down/, 60_000);
        expect(output).toContain(`NODE-FAILED node1: ${reason}`);
      } finally {
        await node.kill();
      }
    }
    rmSync(root);
  });

  test('a second node joins; when it goes silent the host is asked to end it, and the first goes on', async (context) => {
    if (!(await multicastWorks())) context.skip('skipped: needs multicast between processes of this host');
    const root = rootCopy('two');
    const fences = join(folder, 'fence');
    mkdirSync(fences);
    const first = start(1, root, 'cluster=new', `fence=${fences}`);
    let second: ClusterNode | undefined;
    try {
      await first.shows(/^END-OF-STATE/m, 90_000);
      // It looks for nobody before it may.
      writeFileSync(join(fences, 'hold'), '');
      second = start(2, root, 'cluster=join', `fence=${fences}`);
      await second.shows(/network up/, 60_000);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      rmSync(join(fences, 'hold'));
      const joined = await second.shows(/^NODE-READY node2/m, 120_000);
      expect(joined).toContain('joined the membership');
      expect(joined).not.toContain('corosync does not wait');
      await first.shows(/^SAW from2/m, 60_000);
      second.signal('SIGSTOP');
      const request = join(fences, 'req.2');
      for (let tries = 0; !existsSync(request) && tries < 300; tries++)
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect(existsSync(request)).toBe(true);
      await second.kill();
      copyFileSync(request, join(fences, 'ack.2'));
      const output = await first.shows(/^READ-ONLY/m, 60_000);
      expect(output).toMatch(/^own\r?\nSURVIVED from2 after/m);
    } finally {
      await second?.kill();
      await first.kill();
    }
    rmSync(root);
  });
});
