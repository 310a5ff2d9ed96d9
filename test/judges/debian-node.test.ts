import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernelForProcessor } from '../../pipelines/nodes/kernel-for-processor.js';
import { ClusterNode, multicastWorks } from '../support/cluster-node.js';
import { DEBIAN_BUILD_TOOLS, debianBuild } from '../support/debian-build.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';
import { UML_TOOLS } from '../support/uml.js';

const folder = temporaryFolder();

/** Files that are half as large as a journal, and so many small ones that the journal is full. */
const LARGE_AMONG_SMALL = `mkdir /root/large && cd /root/large || exit 1
round=0
while [ $round -lt 2 ]; do
  round=$((round + 1))
  folder=0
  while [ $folder -lt 40 ]; do
    folder=$((folder + 1))
    mkdir $folder
    file=0
    while [ $file -lt 60 ]; do file=$((file + 1)); echo $file > $folder/$file; done
    dd if=/dev/zero of=$folder/large bs=1048576 count=4 2> /dev/null || exit 1
  done
  rm -r /root/large/* || exit 1
  echo round $round
done`;

/** A service as packages bring them. */
const SERVICE = `cat > /etc/init.d/demo <<'END'
#!/bin/sh
echo "$1" >> /run/demo
END
chmod 755 /etc/init.d/demo
for link in rc1.d/K01 rc2.d/S01 rc0.d/K01; do ln -s ../init.d/demo /etc/\${link}demo; done
`;
/** Single-user mode and back again, by a process that is let live like the cluster's daemons. */
const SINGLE_USER = `cat > /root/single <<'END'
echo $$ > /run/sendsigs.omit.d/single
telinit 1
until runlevel | grep -q 'S$'; do sleep 0.1; done
cat /proc/[0-9]*/comm > /run/in-single
telinit 2
END
setsid sh /root/single > /dev/null 2>&1 < /dev/null &
`;
/** What makes it hard to let go of a root. */
const HOLD = `mkdir -p '/mnt/a b' /mnt/usr
mount -t tmpfs tmpfs '/mnt/a b'
mount --bind /usr /mnt/usr
truncate -s 1M /root/disk
insmod /usr/lib/uml/modules/*/kernel/drivers/block/loop.ko && losetup -f /root/disk
cat > /root/stubborn <<'END'
trap '' TERM HUP
exec 3> /root/held
while :; do echo x >&3; sleep 0.1; done
END
setsid sh /root/stubborn > /dev/null 2>&1 < /dev/null &
`;

describeWith([...DEBIAN_BUILD_TOOLS, ...UML_TOOLS, 'fsck.gfs2'], 'two nodes of the recipe debian', () => {
  const root = join(folder, 'root_fs');
  let connected = false;
  let first: ClusterNode;
  let second: ClusterNode;

  beforeAll(async () => {
    connected = await multicastWorks();
    const built = debianBuild();
    run('cp', ['--sparse=always', join(built.folder, 'root_fs'), root]);
    const kernel = kernelForProcessor(join(built.folder, 'linux'), join(folder, 'linux'));
    const start = (number: number, ...commandLine: string[]): ClusterNode =>
      new ClusterNode({
        number,
        kernel,
        ramdisk: join(built.folder, 'initrd.img'),
        root,
        commandLine,
        scratch: folder,
      });
    first = start(1, 'cluster=new');
    await first.shows(/^NODE-READY node1/m, 120_000);
    if (!connected) return;
    second = start(2, 'cluster=join', 'meet=1');
    await second.shows(/^NODE-READY node2/m, 120_000);
  });
  afterAll(async () => {
    await second?.kill();
    await first?.kill();
  });

  function two(name: string, body: () => Promise<void>): void {
    test(name, async (context) => {
      if (!connected) context.skip('skipped: needs multicast between processes of this host');
      await body();
    });
  }

  async function output(node: ClusterNode, script: string): Promise<string> {
    const { status, stdout, stderr } = await node.sh(script);
    expect(stderr, script).toBe('');
    expect(status, script).toBe(0);
    return stdout;
  }

  two('have one root, and what each has for itself on it', async () => {
    await output(first, 'echo one > /root/shared; echo one > /var/log/own; echo one > /tmp/own');
    expect(await output(second, 'cat /root/shared')).toBe('one\n');
    expect((await second.sh('ls /var/log/own /tmp/own')).status).toBe(2);
    expect(await output(second, 'cat /cluster/node1/var/log/own')).toBe('one\n');
    const identities = [
      await output(first, 'cat /etc/machine-id'),
      await output(second, 'cat /etc/machine-id'),
    ];
    for (const identity of identities) expect(identity).toMatch(/^[0-9a-f]{32}\n$/);
    expect(new Set(identities).size).toBe(2);
    expect(await output(second, 'hostname; cat /etc/hostname; clusternode_num')).toBe('node2\nnode2\n2\n');
  });

  two('reach each other: onnode, onall, where_pid and cluster', async () => {
    expect(await output(first, 'onnode 2 hostname; onnode 1 hostname')).toBe('node2\nnode1\n');
    expect(await output(first, 'echo data | onnode 2 cat')).toBe('data\n');
    expect(await output(first, `onnode 2 printf '%s|' 'a  b' "it's" '' '$HOME' '*'`)).toBe(
      "a  b|it's||$HOME|*|",
    );
    expect(await first.sh("onnode 2 sh -c 'echo fault >&2; exit 7'")).toEqual({
      status: 7,
      stdout: '',
      stderr: 'fault\n',
    });
    // 128 and the signal, as shells have it.
    expect((await first.sh("onnode 2 sh -c 'kill -9 $$'")).status).toBe(137);
    expect((await first.sh('onnode 2 no-such-command')).status).toBe(127);
    expect(await first.sh('onnode 3 true')).toMatchObject({
      status: 1,
      stderr: 'onnode: node 3 is not up\n',
    });
    expect(await first.sh('onnode 9 true')).toMatchObject({
      status: 1,
      stderr: 'onnode: the cluster has no node 9\n',
    });
    for (const command of ['onnode', 'onnode x true', 'onall', 'where_pid', 'where_pid 0', 'cluster -x'])
      expect((await first.sh(command)).status, command).toBe(2);
    expect(await output(first, 'onall clusternode_num')).toBe('1\n2\n');
    expect(await first.sh('onall test -e /nowhere')).toMatchObject({ status: 1 });
    expect(await output(second, 'where_pid 1')).toBe('1\n2\n');
    const pid = await output(second, 'sleep 100 > /dev/null 2>&1 & echo $!');
    expect(await output(first, `onnode 2 kill -0 ${pid.trim()} && onnode 2 kill ${pid.trim()}`)).toBe('');
    expect((await first.sh('where_pid 999999')).status).toBe(1);
    expect(await output(second, 'cluster')).toBe('1\n2\n');
    expect(await output(second, 'cluster -v')).toBe(
      '1: up (192.168.50.1)\n2: up, this node (192.168.50.2)\n3: down (192.168.50.3)\n',
    );
  });

  two('let root in with the key of the cluster, and with nothing else', async () => {
    const { status } = await first.sh('HOME=/tmp dbclient -y -T node2 true < /dev/null');
    expect(status).not.toBe(0);
    expect(await output(first, 'stat -c "%a %U" /root/.ssh/id_dropbear /etc/dropbear/*_key')).toBe(
      '600 root\n600 root\n',
    );
  });

  two("stay in the cluster in single-user mode, and start and stop the packages' services", async () => {
    await output(first, SERVICE);
    await output(second, SINGLE_USER);
    await second.shows(/NODE-READY node2[\s\S]*NODE-READY node2/, 60_000);
    // Init starts the agent again right after that; what was asked of the old one is lost.
    for (let tries = 0; tries < 50; tries++) {
      const isThere = await second.sh('exit 0').then(
        () => true,
        () => false,
      );
      if (isThere) break;
    }
    const programs = (await output(second, 'cat /run/in-single')).split('\n');
    expect(programs).toEqual(expect.arrayContaining(['corosync', 'dlm_controld']));
    for (const gone of ['dropbear', 'perl', 'agetty']) expect(programs).not.toContain(gone);
    expect(await output(second, 'cat /run/demo')).toBe('stop\nstart\n');
    expect(await output(first, 'cluster; onnode 2 hostname')).toBe('1\n2\nnode2\n');
    expect(await output(first, 'dlm_tool status')).toMatch(/^node 2 M add \d+ rem 0 fail 0 fence 0 /m);
  });

  two('keep their lock daemon when one of those who ask it is gone before the answer', async () => {
    // As the kernel does when dlm_controld answers a dlm_tool that has been killed.
    await output(first, 'kill -PIPE $(cat /run/cluster/run/dlm_controld/dlm_controld.pid)');
    expect(await output(first, 'sleep 1; dlm_tool ls')).toMatch(/^members +1 2 *$/m);
  });

  two('remove large files among small ones', async () => {
    // With Debian's module as it is the kernel hangs at that (see pipelines/ramdisk/gfs2-log-daemon.ts).
    expect(await output(second, LARGE_AMONG_SMALL)).toBe('round 1\nround 2\n');
    expect(await output(first, 'ls /root/large')).toBe('');
  });

  two('leave in good order, whatever holds the root', async () => {
    await output(second, HOLD);
    await output(second, 'until [ -s /root/held ]; do sleep 0.1; done');
    const start = performance.now();
    await second.sh('shutdown -h now').catch(() => {});
    const shown = await second.shows(/^NODE-LEFT node2/m, 30_000);
    expect(performance.now() - start).toBeLessThan(15_000);
    expect(shown).not.toContain("can't let go");
    await second.ends(10_000);
    await output(first, 'until [ "$(cluster)" = 1 ]; do sleep 0.1; done');
    expect(await output(first, 'dlm_tool status')).toMatch(/^node 2 X add \d+ rem \d+ fail 0 fence 0 /m);
    expect(await output(first, 'dlm_tool ls')).toMatch(/^change +member 1 joined 0 remove 1 failed 0 /m);
    const log = await output(first, 'cat /run/cluster/var/log/corosync/corosync.log');
    expect(log).toMatch(/Members left: 2/);
    expect(log).not.toMatch(/failed: 2/);
    await output(first, 'touch /root/afterwards');
  });

  test('the last one leaves, and the root is clean', async () => {
    await first.sh('reboot').catch(() => {});
    await first.shows(/^NODE-LEFT node1/m, 30_000);
    await first.ends(10_000);
    const judged = run('fsck.gfs2', ['-n', root]);
    expect(judged).not.toMatch(/dirty|inconsisten|error|incorrect/i);
    expect(judged).toContain('fsck.gfs2 complete');
  });
});
