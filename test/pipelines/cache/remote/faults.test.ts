import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { Cache } from '../../../../pipelines/cache/cache.js';
import { verify } from '../../../../pipelines/cache/maintenance.js';
import { HttpStore } from '../../../../pipelines/cache/remote/http-store.js';
import { remoteSettings } from '../../../../pipelines/cache/remote/open-remote.js';
import type { RemoteSettings } from '../../../../pipelines/cache/remote/remote-cache.js';
import { Random } from '../../../fuzz/random.js';
import { faults, startFaultyProxy } from '../../../support/faulty-proxy.js';
import { type Nginx, nginxUser, startNginx } from '../../../support/nginx.js';
import { rounds } from '../../../support/rounds.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith } from '../../../support/tools.js';
import { leftovers } from '../../engine/build-rig.js';
import { Machine } from './remote-rig.js';

/** How many runs; REMOTE_FAULT_RUNS=200 for all that is promised. Each has the fault and the chance of its number. */
const runs = rounds(10, 40, 'REMOTE_FAULT_RUNS');
const first = Number(process.env.REMOTE_FAULT_FIRST ?? 0);

/** Whether a build waits as long as it does for users; else all of its waits are shorter, by the same factor. */
const AS_FOR_USERS = rounds(0, 1, 'REMOTE_FAULT_RUNS') > 0;
const FACTOR = 4;

/** Runs at once: most of their time they wait. */
const AT_ONCE = 6;

/** What a machine under load adds to a build, in milliseconds. */
const SLACK = 5_000;

/** What a build may lose, in milliseconds. Without a limit it would be hours, or for ever. */
const LOST_MAX = AS_FOR_USERS ? 30_000 : 30_000 / FACTOR + SLACK;

/** A remote cache behind `url`. */
function settingsFor(url: string, key: string): RemoteSettings {
  const { SSI_IMAGES_REMOTE_USER: user, SSI_IMAGES_REMOTE_PASSWORD: password } = nginxUser;
  const environment = { SSI_IMAGES_REMOTE_CACHE: url, ...nginxUser, SSI_IMAGES_REMOTE_KEY: key };
  const settings = remoteSettings({}, environment);
  if (settings === undefined) throw new Error('no remote cache');
  if (AS_FOR_USERS) return settings;
  const store = new HttpStore(url, {
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    idleMilliseconds: 4000 / FACTOR,
    requestMilliseconds: 12_000 / FACTOR,
  });
  return { ...settings, store, patience: settings.patience / FACTOR };
}

describeWith(['nginx', 'openssl'], 'a link that does harm', () => {
  let nginx: Nginx;
  const folder = temporaryFolder();
  beforeAll(async () => {
    nginx = await startNginx(join(folder, 'nginx'));
    return () => nginx.stop();
  });

  async function trial(seed: number): Promise<string> {
    const random = new Random(seed);
    const fault = faults[seed % faults.length] ?? 'drop';
    const percent = [100, 50, 20, 5][(seed + Math.floor(seed / faults.length)) % 4] ?? 100;
    const proxy = await startFaultyProxy({
      target: nginx.port,
      random,
      choose: () => (random.below(100) < percent ? fault : undefined),
    });
    const [bad, good] = [proxy.url, nginx.url];
    const place = join(folder, `${seed}`);
    try {
      const machines = ['right', 'a', 'b', 'c'].map(
        (name) => new Machine(join(place, name), `${seed}`, 700_000),
      );
      const [right, a, b, c] = machines as [Machine, Machine, Machine, Machine];
      await right.build();
      // One pushes over the bad link, one reads over it what came through, one reads that over a good link.
      const lost: number[] = [];
      for (const [machine, url] of [
        [a, bad],
        [b, bad],
        [c, good],
      ] as const) {
        const start = performance.now();
        const { report, warnings } = await machine.with(settingsFor(url, `a secret ${seed}, long`));
        lost.push(Math.round(performance.now() - start));
        expect(machine.outputs(), `seed ${seed}`).toEqual(right.outputs());
        expect(performance.now() - start, `seed ${seed}`).toBeLessThan(LOST_MAX + SLACK);
        expect(report?.lostMilliseconds, `seed ${seed}`).toBeLessThan(LOST_MAX);
        expect(warnings.length, warnings.join('\n')).toBeLessThan(5);
        const checked = await verify(Cache.open(join(machine.folder, 'cache')), new Pace());
        expect(checked.bad, `seed ${seed}`).toEqual([]);
        expect(leftovers(machine.folder).filter((name) => name !== 'cache/remote')).toEqual([]);
      }
      if (percent >= 20) expect(proxy.done.get(fault) ?? 0).toBeGreaterThan(0);
      return `${seed} ${fault} ${percent} %: ${lost.join(' ')} ms`;
    } finally {
      await proxy.stop();
      rmSync(place, { recursive: true, force: true });
    }
  }

  test(
    `${runs} seeded runs: always the right output, never a bad entry, never more than ${LOST_MAX} ms lost`,
    async () => {
      const results: string[] = [];
      const failures: string[] = [];
      let next = first;
      const worker = async (): Promise<void> => {
        while (next < first + runs) {
          const seed = next++;
          await trial(seed).then(
            (line) => results.push(line),
            (error: unknown) => failures.push(`seed ${seed}: ${String(error)}`),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      if (process.env.REMOTE_FAULT_RUNS !== undefined) console.log(results.join('\n'));
      expect(failures).toEqual([]);
      expect(results).toHaveLength(runs);
    },
    runs * 60_000,
  );
});
