import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterStatus } from '../../pipelines/nodes/cluster-status.js';
import { ClusterCommands } from '../support/cluster-commands.js';
import { DEBIAN_BUILD_TOOLS, debianBuild } from '../support/debian-build.js';
import { checkAfterCrash } from '../support/fsck-after-crash.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';

/** Seconds in which the others have to go on after a node has crashed, and in which a node has to leave. */
const RECOVERY_SECONDS = 30;
const LEAVE_SECONDS = 15;
const APPENDS = 500;

/** Appends numbered lines to a file that all nodes have, each under a lock. */
const APPEND = `my ($name, $count) = @ARGV;
for my $number (1 .. $count) {
  open my $file, '>>', '/root/lines' or die $!;
  flock $file, 2 or die $!;
  print $file "$name $number\\n";
  close $file or die $!;
}`;

/** Makes files, each with its name in it, and says so when one is on the disk. */
const WRITE = `use IO::Handle;
$| = 1;
for (my $number = 0; ; $number++) {
  open my $file, '>', "/root/files/$number" or die $!;
  print $file "$number\\n" x 100;
  $file->flush && $file->sync or die $!;
  close $file;
  print "$number\\n";
}`;

/** Compares what is in the files that were said to be there. */
const COMPARE = `my $wrong = 0;
while (my $number = <STDIN>) {
  chomp $number;
  my $text = '';
  if (open my $file, '<', "/root/files/$number") { local $/; $text = <$file> }
  next if $text eq "$number\\n" x 100;
  print "$number: ", length $text, " bytes\\n";
  $wrong++;
}
exit $wrong > 0;`;

// One after the other: each goes on with the cluster as the one before has left it.
describeWith(
  [...DEBIAN_BUILD_TOOLS, 'uml_switch', 'fsck.gfs2', 'flock'],
  'three nodes of the recipe debian, by its commands',
  () => {
    const home = join(temporaryFolder(), 'home');
    let commands: ClusterCommands;
    let out = '';

    beforeAll(() => {
      out = debianBuild().folder;
      mkdirSync(home);
      commands = new ClusterCommands(home);
    });
    afterAll(async () => {
      commands.run('stop', ['--now']);
      expect(await commands.whenAllGone()).toEqual([]);
    });

    const status = (): ClusterStatus => JSON.parse(commands.output('status', '--json')) as ClusterStatus;
    const inNode = (node: number, ...command: string[]): string =>
      commands.output('exec', `${node}`, ...command);

    test('come up, and are one cluster', () => {
      expect(commands.output('start', '3', '--out', out)).toBe(
        'debian: 3 nodes are up (1, 2, 3), 3 started\n',
      );
      expect(status().nodes).toMatchObject(
        [1, 2, 3].map((node) => ({
          node,
          state: 'ready',
          members: [1, 2, 3],
          lockspaces: [{ name: 'root', members: expect.arrayContaining([1, 2, 3]) }],
        })),
      );
    });

    test('see what another one writes', () => {
      inNode(1, 'echo from node 1 > /root/written');
      expect(inNode(2, 'cat /root/written')).toBe('from node 1\n');
      inNode(2, 'echo from node 2 >> /root/written');
      expect(inNode(3, 'cat /root/written')).toBe('from node 1\nfrom node 2\n');
    });

    test('lose no line that they append at the same time', async () => {
      const all = [1, 2, 3].map((node) =>
        commands.start('exec', [`${node}`, 'perl', '-e', APPEND, `node${node}`, `${APPENDS}`]),
      );
      for (const { end } of all) expect(await end).toMatchObject({ status: 0, stderr: '' });
      const lines = inNode(2, 'cat /root/lines').trimEnd().split('\n');
      expect(lines).toHaveLength(3 * APPENDS);
      expect(new Set(lines).size).toBe(3 * APPENDS);
      // Each node's own stand in their order.
      for (const node of [1, 2, 3])
        expect(lines.filter((line) => line.startsWith(`node${node} `))).toEqual(
          Array.from({ length: APPENDS }, (_, index) => `node${node} ${index + 1}`),
        );
    });

    test('reach each other', () => {
      expect(inNode(1, 'onnode 2 hostname')).toBe('node2\n');
    });

    test('go on when one crashes while it writes, keep what it has written, and take it back', async () => {
      inNode(1, 'mkdir /root/files');
      const writer = commands.start('exec', ['3', 'perl', '-e', WRITE]);
      let written = '';
      writer.child.stdout?.on('data', (bytes: Buffer) => {
        written += bytes.toString();
      });
      while (written.split('\n').length < 50) await sleep(50);
      const crashed = performance.now();
      commands.output('rm', '3');
      for (const node of [1, 2])
        inNode(node, `echo ${node} > /root/files/after-${node} && sync && ls /root/files | wc -l`);
      expect((performance.now() - crashed) / 1000).toBeLessThan(RECOVERY_SECONDS);
      expect((await writer.end).status).not.toBe(0);
      const acknowledged = written.split('\n').slice(0, -1);
      const compared = commands.run('exec', ['1', 'perl', '-e', COMPARE], {
        input: `${acknowledged.join('\n')}\n`,
      });
      expect(compared).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(status().nodes.map(({ state }) => state)).toEqual(['ready', 'ready', 'crashed']);

      commands.output('add', '3');
      expect(inNode(3, 'cat /root/files/after-1 /root/files/after-2')).toBe('1\n2\n');
      expect(status().nodes.map(({ members }) => members)).toEqual([
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ]);
    });

    test('have one that hangs ended, without anybody doing anything', async () => {
      const group = status().nodes[1]?.group ?? 0;
      process.kill(-group, 'SIGSTOP');
      inNode(1, 'echo go on > /root/after-hang && sync');
      expect(inNode(3, 'cat /root/after-hang')).toBe('go on\n');
      for (let tries = 0; status().nodes[1]?.state !== 'fenced' && tries < 100; tries++) await sleep(200);
      expect(status().nodes.map(({ state }) => state)).toEqual(['ready', 'fenced', 'ready']);
      commands.output('add', '2');
    });

    test('have one that lost a daemon of its cluster go off at once', async () => {
      commands.run('exec', ['3', 'pkill -KILL -x dlm_controld']);
      for (let tries = 0; status().nodes[2]?.state === 'ready' && tries < 50; tries++) await sleep(100);
      const { state } = status().nodes[2] ?? {};
      expect(['died', 'fenced']).toContain(state);
      if (state === 'died')
        expect(commands.output('log', '3')).toMatch(
          /==> \S+dlm_controld\.log <==[\s\S]*\na daemon of the cluster has ended: this node goes off\r?\n/,
        );
      inNode(1, 'echo go on > /root/after-daemon && sync');
      expect(inNode(2, 'cat /root/after-daemon')).toBe('go on\n');
      commands.output('add', '3');
    });

    test('leave in good order, and their root is clean', async () => {
      const stopped = commands.run('stop', ['--timeout', `${LEAVE_SECONDS}`]);
      expect(stopped).toMatchObject({ status: 0, stdout: 'debian: stopped\n' });
      for (const node of [1, 2, 3]) expect(stopped.stderr).toContain(`node${node}: shut down after`);
      // A leave, and no failure: nobody was asked to end anybody.
      for (const node of [1, 2, 3])
        expect(commands.output('log', `${node}`)).toMatch(/^NODE-LEFT node\d\r?$/m);
      expect(await commands.whenAllGone()).toEqual([]);
      expect(commands.names('.ssiuml', 'run')).toEqual([]);
      // Though two were ended in the middle of what they did.
      const result = checkAfterCrash(join(home, '.ssiuml/debian/root_fs'));
      expect(result).toEqual({ faults: [], lostBlocks: [] });
    });

    test('without a crash fsck.gfs2 has nothing to say', () => {
      commands.output('start', '2', '--out', out, '--fresh');
      inNode(1, 'cp -r /usr/lib/ssi /root/copy && rm -r /root/copy/s*');
      inNode(2, 'cp -r /root/copy /root/again && sync');
      commands.output('stop');
      const result = checkAfterCrash(join(home, '.ssiuml/debian/root_fs'));
      expect(result).toEqual({ faults: [], lostBlocks: [] });
    });
  },
);
