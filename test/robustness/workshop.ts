import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Beginning } from './beginning.js';
import { faultOfOutputs, type Outputs, readOutputs } from './outputs.js';
import { missingForLarge, type Variant, writeRecipes } from './recipes.js';
import { Trial } from './trial.js';

/** What a trial begins with. */
export type StartingState =
  /** Nothing was built here before. */
  | 'empty'
  /** The cache has what a build of the variant needs. */
  | 'cached'
  /** The cache and the output folder of a build of the variant. */
  | 'built'
  /** Its outputs, and a cache that was cleared. */
  | 'outputs';

/** Folder of all trials: recipes, and undisturbed builds to begin with and to compare with. */
export class Workshop {
  readonly folder: string;
  readonly recipes: string;
  /** Whether there is a recipe with the large base. */
  readonly hasLarge: boolean;
  private readonly expected = new Map<string, Outputs>();
  /** How long builds took lately, in milliseconds. */
  readonly lengths = new Map<Beginning, number>();
  private readonly measures = new Map<string, Promise<number>>();
  private readonly undisturbed = new Map<string, Promise<void>>();

  /** `few`: there will be few trials, so that much of what is measured and made first would be for nothing. */
  constructor(readonly few: boolean) {
    this.hasLarge = !few && missingForLarge() === undefined;
    this.folder = mkdtempSync(join(tmpdir(), 'ssi-images-robustness-'));
    this.recipes = join(this.folder, 'recipes');
    writeRecipes(this.recipes, this.hasLarge);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A trial that begins with what a build of a variant left; `place` may say where that lies. */
  async trial(
    name: string,
    state: StartingState,
    variant: Variant,
    place: (trial: Trial) => void = () => {},
  ): Promise<Trial> {
    await this.ready(variant);
    const trial = new Trial(this, join(this.folder, name));
    place(trial);
    const from = join(this.folder, `undisturbed-${variant.name}`);
    if (state === 'cached' || state === 'built') copy(join(from, 'cache'), trial.cache);
    if (state === 'outputs' || state === 'built') copy(join(from, 'outputs'), trial.outputs);
    return trial;
  }

  /** What an undisturbed build of the variant leaves. */
  async outputsOf(variant: Variant): Promise<Outputs> {
    await this.ready(variant);
    const outputs = this.expected.get(variant.name);
    if (outputs === undefined) throw new Error(`no build of ${variant.name}`);
    return outputs;
  }

  /** What a build that is not disturbed shows, measured once by `measure` in a trial of its own. */
  measured(name: string, state: StartingState, before: Variant, measure: (trial: Trial) => Promise<number>) {
    const id = `${name} ${state} ${before.name}`;
    let value = this.measures.get(id);
    if (value === undefined) {
      value = this.measure(`measure-${this.measures.size}`, state, before, measure);
      this.measures.set(id, value);
    }
    return value;
  }

  private async measure(
    name: string,
    state: StartingState,
    before: Variant,
    measure: (trial: Trial) => Promise<number>,
  ): Promise<number> {
    const trial = await this.trial(name, state, before);
    const value = await measure(trial);
    trial.remove();
    return value;
  }

  /** The variant's undisturbed build: made once. */
  private ready(variant: Variant): Promise<void> {
    let ready = this.undisturbed.get(variant.name);
    if (ready === undefined) {
      ready = this.buildUndisturbed(variant);
      this.undisturbed.set(variant.name, ready);
    }
    return ready;
  }

  private async buildUndisturbed(variant: Variant): Promise<void> {
    const trial = new Trial(this, join(this.folder, `undisturbed-${variant.name}`));
    const end = await trial.start(variant).ended;
    if (end.code !== 0) throw new Error(`an undisturbed build fails:\n${end.messages.join('\n')}`);
    const outputs = readOutputs(trial.out());
    const fault = faultOfOutputs(trial.out(), outputs);
    if (fault !== undefined) throw new Error(`an undisturbed build of ${variant.name}: ${fault}`);
    this.expected.set(variant.name, outputs);
  }
}

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', `${from}/.`, to]);
}
