import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Places } from './builds.js';
import type { Contestant } from './measure.js';

/** As many as the recipe has journals. */
const NODES = 3;

/** Starting nodes of the recipe `debian` until they are ready: one alone, and three together. */
export function bootContestants({ root, work }: Places): Contestant[] {
  const home = join(work, 'boot');
  const out = join(home, 'debian');
  mkdirSync(home, { recursive: true });
  const script = (name: string): string => join(root, 'dist', 'scripts', `${name}.js`);
  execFileSync(
    process.execPath,
    [script('ssi-image'), 'build', 'debian', '--out', out, '--set', 'ssh.seed=no secret: for benchmarks'],
    { stdio: 'inherit' },
  );
  const env = { ...process.env, HOME: home };
  const stop = (): void => {
    spawnSync(process.execPath, [script('ssi-stop'), '--name', 'bench'], { env, stdio: 'ignore' });
  };
  // Before the folder of all this goes.
  process.prependListener('exit', stop);
  const start = (count: number): Contestant => ({
    name: `\`ssi-start ${count}\``,
    command: [
      'env',
      `HOME=${home}`,
      process.execPath,
      script('ssi-start'),
      `${count}`,
      '--out',
      out,
      '--name',
      'bench',
    ],
    prepare: stop,
  });
  return [start(1), start(NODES)];
}
