import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loopMountFault } from '../support/loop-fault.js';
import { writeSampleExt2 } from '../support/sample-ext2.js';
import { expectNoProcesses, leftoversBeside, leftoversInCache } from './aftermath.js';
import { BuildProcess } from './build-process.js';
import { Counts, expectThat, type Scenario } from './scenario.js';

const program = fileURLToPath(new URL('../../scripts/ssi-image.js', import.meta.url));

/** A build by hand takes about so long, in milliseconds: kills are spread over this and a little more. */
const BUILD_MILLISECONDS = 3500;

/** Loop devices and mounts of somebody else, beside the build. */
const foreign = new Set<Foreign>();

export function releaseForeign(): void {
  for (const each of foreign) each.release();
}

/** Kills of builds with the HOWTO's own commands: loop devices and mounts outlive a process. */
export const hostScenario: Scenario = {
  name: 'host',
  unit: 'kills',
  count: 50,
  few: 4,
  missing: loopMountFault,
  async trial(number, random, workshop) {
    const folder = join(workshop.folder, `host-${number}`);
    const place = new HostPlace(folder);
    const other = new Foreign(join(folder, 'foreign'));
    const counts = new Counts();
    try {
      const signal = random.pick(['SIGINT', 'SIGTERM', 'SIGKILL'] as const);
      const whom = random.pick(['process', 'group'] as const);
      const build = place.start();
      await build.killAfter(random.below(BUILD_MILLISECONDS), signal, whom);
      const end = await build.ended;
      const isKilled = end.code !== 0;
      await expectNoProcesses(join(folder, 'cache'));
      if (signal !== 'SIGKILL' && end.code === 130) place.expectClear(`right after ${signal}`);
      const left = place.standing().length;
      counts.add(isKilled ? `${signal} to the ${whom}` : 'had ended before');
      if (left > 0) counts.add('left something behind');
      if (random.below(2) === 0) {
        place.clean();
        place.expectClear(`after ${signal} and doctor --clean`);
        counts.add('then doctor --clean');
      }
      const next = await place.start().ended;
      expectThat(next.code === 0, `the next build ends with ${next.code}: ${next.messages.join(' / ')}`);
      place.expectClear(`after ${signal} and the next build`);
      place.expectNothingLeft();
      other.expectUntouched();
      return { harm: isKilled ? 1 : 0, kinds: counts.all };
    } finally {
      other.release();
      place.clean();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Where one trial builds: state, mount point, cache and outputs of its own. */
class HostPlace {
  private readonly state: string;
  private readonly point: string;
  private builds = 0;

  constructor(private readonly folder: string) {
    this.state = join(folder, 'state');
    this.point = join(folder, 'mounts', 'mnt');
    for (const path of [this.point, join(folder, 'logs'), join(folder, 'home')])
      mkdirSync(path, { recursive: true });
    writeSampleExt2(join(folder, 'recipe.yaml'));
  }

  private get environment(): Record<string, string> {
    const home = join(this.folder, 'home');
    return { PATH: process.env.PATH ?? '', HOME: home, SSI_IMAGES_HOST_STATE: this.state };
  }

  start(): BuildProcess {
    this.builds += 1;
    return new BuildProcess({
      arguments: [
        join(this.folder, 'recipe.yaml'),
        ...['--backend', 'host', '--mount-point', this.point, '--json'],
        ...['--out', join(this.folder, 'outputs', 'result'), '--cache-dir', join(this.folder, 'cache')],
      ],
      environment: this.environment,
      folder: join(this.folder, 'home'),
      log: join(this.folder, 'logs', `${this.builds}`),
    });
  }

  /** `doctor --clean`, which must succeed. */
  clean(): void {
    const { status, stderr } = spawnSync(process.execPath, [program, 'doctor', '--clean'], {
      env: this.environment,
      encoding: 'utf8',
    });
    expectThat(status === 0, `doctor --clean ends with ${status}: ${stderr}`);
  }

  /** Loop devices and mounts of this trial, by the kernel's own lists. */
  standing(): string[] {
    const own = (text: string): boolean =>
      text.includes(`${this.folder}/`) && !text.includes(`${this.folder}/foreign`);
    return [
      ...execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
        encoding: 'utf8',
      })
        .split('\n')
        .filter(own),
      ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(own),
    ];
  }

  expectClear(when: string): void {
    const left = [...this.standing(), ...leftoversBeside(join(this.folder, 'mounts'), ['mnt'])];
    expectThat(left.length === 0, `${when} there is: ${left.join(', ')}`);
    expectThat(readdirSync(this.point).length === 0, `${when} the mount point is not empty`);
  }

  expectNothingLeft(): void {
    const left = [
      ...leftoversBeside(this.state, []),
      ...leftoversInCache(join(this.folder, 'cache')),
      ...leftoversBeside(join(this.folder, 'outputs'), ['result']),
    ];
    expectThat(left.length === 0, `left behind: ${left.join(', ')}`);
  }
}

/** A loop device and a mount that a build has nothing to do with. */
class Foreign {
  private readonly device: string;
  private readonly point: string;

  constructor(private readonly folder: string) {
    this.point = join(folder, 'mounted');
    mkdirSync(this.point, { recursive: true });
    const image = join(folder, 'image');
    writeFileSync(image, '');
    truncateSync(image, 4 * 1024 * 1024);
    execFileSync('mke2fs', ['-q', '-F', image], { stdio: 'pipe' });
    this.device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
    foreign.add(this);
    execFileSync('mount', [this.device, this.point], { stdio: 'pipe' });
    writeFileSync(join(this.point, 'kept'), 'kept');
  }

  expectUntouched(): void {
    const shown = spawnSync('losetup', [this.device], { encoding: 'utf8' }).stdout;
    expectThat(shown.includes(this.folder), `the foreign loop device is gone: ${shown}`);
    expectThat(existsSync(join(this.point, 'kept')), 'the foreign mount is gone');
  }

  release(): void {
    if (!foreign.delete(this)) return;
    spawnSync('umount', [this.point]);
    spawnSync('losetup', ['--detach', this.device]);
  }
}
