import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  fenceAgent,
  GATES,
  lastInit,
  leaveScript,
  nodeInit,
  PAUSE,
  watchScript,
} from '../../../pipelines/ramdisk/node-init.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run, testWith, tool } from '../../support/tools.js';

/** Runs commands with the functions of /init, none of which may turn this host off. */
function inInit(folder: string, commands: string): { status: number | null; stdout: string; stderr: string } {
  const pause = join(folder, 'pause');
  run('mkfifo', [pause]);
  const [functions = ''] = nodeInit().split('\nmount_kernel_filesystems\n');
  const script = functions
    .replace(/^PATH=.*$/m, '')
    .replace(/^\. \/etc\/.*$/m, '')
    .replaceAll('poweroff', 'exit 9 #')
    .replaceAll(PAUSE, pause);
  expect(script).not.toContain('poweroff');
  const path = join(folder, 'script');
  writeFileSync(path, `${script}\nfail() { echo "failed: $*"; exit 1; }\ndaemons=${folder}\n${commands}\n`);
  return spawnSync(tool('busybox'), ['sh', path], { encoding: 'utf8', timeout: 60_000 });
}

const time = 'Nov 21 23:57:46.638 [184] node2 corosync notice ';
/** What corosync 3.1.7 says when members have come or gone. */
const ring = (...lists: string[]): string[] => [
  ...lists.map((list) => `${time} [QUORUM] Sync members[2]: ${list}`),
  `${time} [QUORUM] Sync joined[1]: 1`,
  `${time} [TOTEM ] A new membership (1.9) was formed. Members joined: 1`,
  ...lists.map((list) => `${time} [QUORUM] Members[2]: ${list}`),
  `${time} [MAIN  ] Completed service synchronization, ready to provide service.`,
];
const long = ['1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24\\', '25'];

describeWith(['busybox'], 'whether a node sees the cluster', () => {
  test.each([
    ['alone', ring('2'), '1', false],
    ['with the first one', [...ring('2'), ...ring('1 2')], '1', true],
    ['with somebody', ring('2 3'), '', true],
    ['with another that looks too', ring('2 3'), '1', false],
    ['with one of several', ring('2 13'), '1,13', true],
    ['with one whose number begins the same', ring('2 13'), '1,3', false],
    ['when the first one has gone', [...ring('1 2 3'), ...ring('2 3')], '1', false],
    ['before corosync is ready', ring('1 2').slice(0, -1), '1', false],
    ['of many, in two lines', ring(...long), '1', true],
    ['of many, in the second line', ring(...long), '25', true],
    ['of many, who have gone', [...ring(...long), ...ring('2 3')], '1', false],
    ['without a log', undefined, '1', false],
  ] as const)('%s', (_, lines, meet, isSeen) => {
    const folder = temporaryFolder();
    const log = join(folder, 'log');
    if (lines !== undefined) writeFileSync(log, `${lines.join('\n')}\n`);
    const { stdout, stderr } = inInit(
      folder,
      `number=2 meet=${meet} corosync_log=${log}\nhas_members && echo seen || echo alone`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: isSeen ? 'seen\n' : 'alone\n', stderr: '' });
  });
});

describeWith(['busybox'], 'the gate of dlm_controld', () => {
  const settings = 'protocol=tcp\nfence_all /usr/sbin/fence_by_host\n';

  function folderWithGate(): string {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'etc/dlm'), { recursive: true });
    writeFileSync(join(folder, 'etc/dlm/dlm.conf'), settings);
    run('mkfifo', [join(folder, GATES.lockManager)]);
    return folder;
  }

  test('holds up whoever reads its settings, once or again, until it is opened', () => {
    const folder = folderWithGate();
    const { stdout } = inInit(
      folder,
      `close_lock_gate
      { cat $settings $settings > ${folder}/read; } &
      sleep 0.3; [ -s ${folder}/read ] && echo early
      open_lock_gate; wait; cat ${folder}/read`,
    );
    expect(stdout).toBe(settings.repeat(2));
    const path = join(folder, 'etc/dlm/dlm.conf');
    expect(statSync(path).isFile()).toBe(true);
    expect(readFileSync(path, 'latin1')).toBe(settings);
  });

  test('can be opened before anybody has come to it', () => {
    const { stdout } = inInit(folderWithGate(), 'close_lock_gate; open_lock_gate; cat $settings');
    expect(stdout).toBe(settings);
  });

  test('has to be there, and the settings', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'etc/dlm'), { recursive: true });
    expect(inInit(folder, 'close_lock_gate; echo on')).toMatchObject({
      status: 1,
      stdout: 'failed: the fifo for dlm_controld\n',
    });
    writeFileSync(join(folder, 'etc/dlm/dlm.conf'), settings);
    expect(inInit(temporaryFolder(), `daemons=${folder}; close_lock_gate; echo on`)).toMatchObject({
      status: 1,
      stdout: 'failed: the fifo for dlm_controld\n',
    });
  });
});

testWith(['busybox'], 'busybox has nothing against the scripts', () => {
  const path = join(temporaryFolder(), 'script');
  for (const script of [nodeInit(), lastInit(), leaveScript(), watchScript(), fenceAgent()]) {
    writeFileSync(path, script);
    expect(run('busybox', ['sh', '-n', path])).toBe('');
  }
});

testWith(['busybox'], 'a wait ends when its time is up', () => {
  const start = performance.now();
  const { stdout } = inInit(
    temporaryFolder(),
    'wait_for 1 5 false || echo over; wait_for 1 5 true && echo there',
  );
  expect(stdout).toBe('over\nthere\n');
  expect(performance.now() - start).toBeGreaterThan(900);
});
