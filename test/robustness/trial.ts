import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expectNoProcesses, leftoversBeside, leftoversInCache } from './aftermath.js';
import { type BuildEnd, BuildProcess } from './build-process.js';
import { faultOfOutputs } from './outputs.js';
import type { Variant } from './recipes.js';
import { expectThat } from './scenario.js';
import type { Workshop } from './workshop.js';

export interface TrialBuildOptions {
  /** Name of the output folder. */
  readonly out?: string;
  readonly options?: readonly string[];
  readonly node?: readonly string[];
  readonly wrapper?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Stages may run though the cache has records of them. */
  readonly mayRepeat?: boolean;
}

/** One trial: a cache, a folder for outputs, and surroundings in which nothing may appear. */
export class Trial {
  cache: string;
  /** Folder of the output folders. */
  outputs: string;
  private readonly surroundings: readonly string[];
  private builds = 0;
  private readonly outs = new Set(['result']);

  constructor(
    readonly workshop: Workshop,
    readonly folder: string,
  ) {
    this.cache = join(folder, 'cache');
    this.outputs = join(folder, 'outputs');
    this.surroundings = ['current', 'home', 'temporary'].map((name) => join(folder, name));
    for (const path of [...this.surroundings, join(folder, 'logs')]) mkdirSync(path, { recursive: true });
  }

  out(name = 'result'): string {
    return join(this.outputs, name);
  }

  /** Starts a build of a variant. */
  start(
    variant: Variant,
    { out = 'result', options = [], mayRepeat: _mayRepeat, ...rest }: TrialBuildOptions = {},
  ): BuildProcess {
    this.outs.add(out);
    // A build of a part has a folder of its own.
    const until = options[options.indexOf('--until') + 1];
    if (options.includes('--until')) this.outs.add(`${out}.until-${until}`);
    this.builds += 1;
    const [current = '', home = '', temporary = ''] = this.surroundings;
    return new BuildProcess({
      arguments: [
        resolve(this.workshop.recipes, variant.recipe),
        ...['--out', this.out(out), '--cache-dir', this.cache, '--json'],
        ...variant.set.flatMap((assignment) => ['--set', assignment]),
        ...options,
      ],
      folder: current,
      log: join(this.folder, 'logs', `${this.builds}`),
      ...rest,
      environment: {
        PATH: process.env.PATH ?? '',
        HOME: home,
        TMPDIR: temporary,
        ...rest.environment,
      },
    });
  }

  /** Builds to the end, which must be a good one with the right outputs and nothing besides. */
  async complete(variant: Variant, options: TrialBuildOptions = {}): Promise<BuildEnd> {
    const done = new Set(options.mayRepeat === true ? [] : this.records());
    const end = await this.start(variant, options).ended;
    expectThat(
      end.code === 0,
      `the next build ends with ${end.code ?? end.signal}: ${end.messages.join(' / ')}`,
    );
    const fault = faultOfOutputs(this.out(options.out), await this.workshop.outputsOf(variant));
    expectThat(fault === undefined, `the next build leaves wrong outputs: ${fault}`);
    for (const event of end.events) {
      const isRepeated = event.type === 'stage-start' && event.reason === 'new' && done.has(event.key);
      expectThat(!isRepeated, `a stage that was done runs again: ${JSON.stringify(event)}`);
    }
    await this.expectNothingLeft();
    return end;
  }

  /** Throws a TrialFault when a process, a lock, a temporary file or a hidden folder is left. */
  async expectNothingLeft(): Promise<void> {
    await expectNoProcesses(this.folder);
    const left = [
      ...leftoversInCache(this.cache),
      ...leftoversBeside(this.outputs, [...this.outs]),
      ...this.surroundings.flatMap((path) => leftoversBeside(path, [])),
    ];
    expectThat(
      left.length === 0,
      `left behind: ${left.map((path) => path.slice(this.folder.length + 1)).join(', ')}`,
    );
  }

  /** Throws a TrialFault unless a build found everything as it should be. */
  expectUnchanged({ events }: BuildEnd): void {
    const warning = events.find((event) => event.type === 'warning');
    expectThat(warning === undefined, `it warns: ${JSON.stringify(warning)}`);
    const isUnchanged = events.some((event) => event.type === 'build-done' && event.unchanged);
    const ran = events.flatMap((event) => (event.type === 'stage-start' ? [event.stage] : []));
    expectThat(isUnchanged, `it is built again though nothing changed: ${ran.join(', ')}`);
  }

  /** Keys of the stages that are done. */
  records(): string[] {
    const folder = join(this.cache, 'ac');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** Which of the variants the output folder holds, whole; undefined when there is none. Throws a TrialFault for else. */
  async expectWhole(variants: readonly Variant[], out?: string): Promise<Variant | undefined> {
    if (!existsSync(this.out(out))) return undefined;
    const faults: string[] = [];
    for (const variant of variants) {
      const fault = faultOfOutputs(this.out(out), await this.workshop.outputsOf(variant));
      if (fault === undefined) return variant;
      faults.push(`as ${variant.name}: ${fault}`);
    }
    expectThat(false, `the output folder holds no complete set: ${faults.join('; ')}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
