import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryPrefix } from '../../pipelines/nodes/memory-folder.js';
import { DAEMON_APPLETS, RAMDISK_APPLETS } from '../../pipelines/ramdisk/node-init.js';
import { clusterRootEntries, namesOfApplets } from '../pipelines/ramdisk/cluster-root.js';
import { compiled } from './compiled.js';
import { processesWith, type StartedProgram, startProgram } from './processes.js';
import { treeWith } from './small-trees.js';
import type { CommandResult } from './ssi-image.js';
import { makeStandInKernel } from './stand-in-kernel.js';
import { writeTar } from './tar-archive.js';

/** What the verb `test` needs on the host with a stand-in for the kernel. */
export const TEST_VERB_TOOLS: readonly string[] = ['mkfs.gfs2', 'uml_switch', 'flock', 'perl'];

/** A small recipe whose nodes are stand-ins, and `ssi-image`, as a user with a home folder of its own would run it. */
export class TestVerb {
  readonly home: string;
  readonly out: string;
  readonly recipe: string;
  private readonly program: string;

  constructor(readonly folder: string) {
    this.home = join(folder, 'home');
    this.out = join(folder, 'out');
    this.recipe = join(folder, 'small.yaml');
    mkdirSync(this.home);
    makeStandInKernel(folder);
    const busybox = namesOfApplets([...RAMDISK_APPLETS, ...DAEMON_APPLETS]);
    writeTar(join(folder, 'base.tar'), treeWith(clusterRootEntries(busybox)));
    const others = ['supervisor', 'exec', 'stop'].map((name) => `scripts/ssi-${name}.ts`);
    this.program = compiled('scripts/ssi-image.ts', ...others);
  }

  /** Writes the recipe, with these tests. */
  write(tests: readonly object[]): void {
    const text = `recipe: 1
name: small
distribution: debian
base: {tar: ./base.tar}
cluster: {nodes: 2, network: 192.168.50.0/24}
filesystem: {type: gfs2, size: 64MiB, lockTable: "ssi:root", journalSize: 8MiB}
ramdisk: {}
kernel: {image: ./stand-in-kernel}
tests: ${JSON.stringify(tests)}
`;
    writeFileSync(this.recipe, text);
  }

  /** Runs a verb to its end. */
  run(verb: string, ...more: string[]): Promise<CommandResult> {
    return this.start(verb, ...more).end;
  }

  start(verb: string, ...more: string[]): StartedProgram {
    const places = ['--out', this.out, '--cache-dir', join(this.folder, 'cache')];
    return startProgram([this.program, verb, this.recipe, ...places, ...more], {
      cwd: this.folder,
      env: this.environment(),
    });
  }

  /** Runs another command with a cluster that was kept. */
  cluster(command: 'exec' | 'stop', name: string, ...more: string[]): CommandResult {
    const program = join(dirname(this.program), `ssi-${command}.js`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--name', name, ...more], {
      encoding: 'utf8',
      env: this.environment(),
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  }

  private environment(): NodeJS.ProcessEnv {
    const { XDG_RUNTIME_DIR: _, ...own } = process.env;
    return { ...own, HOME: this.home, NO_COLOR: '1', CI: '1' };
  }

  /** Processes of this home's clusters that run. */
  processes(): number[] {
    return processesWith([`\0HOME=${this.home}\0`, `=${this.folder}/root\0`, `=${this.home}/.ssiuml/`]);
  }

  /** All that a cluster could leave: processes, folders, files for memory. They may take a moment to go. */
  async left(milliseconds = 5000): Promise<string[]> {
    const until = performance.now() + milliseconds;
    while (this.processes().length > 0 && performance.now() < until) await sleep(50);
    return [
      ...this.processes().map((pid) => `process ${pid}`),
      ...this.clusters(),
      ...namesIn(join(this.home, '.ssiuml/run')).map((name) => `run/${name}`),
      ...namesIn('/dev/shm').filter((name) => this.memory.some((prefix) => name.startsWith(prefix))),
    ];
  }

  /** Names of the clusters that have a folder. */
  clusters(): string[] {
    const names = namesIn(join(this.home, '.ssiuml')).filter((name) => name !== 'run');
    for (const name of names) this.memory.push(memoryPrefix(join(this.home, '.ssiuml', name)));
    return names;
  }

  private readonly memory: string[] = [];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
