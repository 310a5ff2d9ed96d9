import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../fuzz/random.js';
import { SMALL, SMALL_CHANGED } from './recipes.js';
import { Counts, type Scenario } from './scenario.js';
import type { TrialBuildOptions } from './trial.js';
import type { StartingState } from './workshop.js';

/** Ways to damage a file. */
const DAMAGES: Readonly<Record<string, (path: string, random: Random, cache: string) => void>> = {
  'a flipped bit': (path, random) =>
    change(path, (bytes) => {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }),
  'a page of zeros': (path, random) =>
    change(path, (bytes) => {
      const at = random.below(bytes.length);
      bytes.subarray(at, at + 4096).fill(0);
    }),
  'a cut end': (path, random) => truncateSync(path, random.below(lstatSync(path).size + 1)),
  'something at its end': (path, random) => appendFileSync(path, Buffer.alloc(1 + random.below(5000), 7)),
  'no bytes': (path) => truncateSync(path, 0),
  removed: (path) => rmSync(path),
  'a directory in its place': (path) => {
    rmSync(path);
    mkdirSync(path);
    writeFileSync(join(path, 'file'), 'foreign');
  },
  'a dangling link in its place': (path) => {
    rmSync(path);
    symlinkSync('nowhere', path);
  },
  'no permissions': (path) => chmodSync(path, 0),
  'another file in its place': (path, random, cache) =>
    writeFileSync(path, readFileSync(random.pick(filesOf(cache)))),
};

/** A name and content of what processes leave that die. No process has this number. */
const DEAD = '4194305_1_00000000-0000-0000-0000-000000000000_4026531836';

/** What may lie about in a cache. */
const LITTER: Readonly<Record<string, (cache: string, random: Random) => void>> = {
  'a dead lock': (cache, random) => litter(cache, `locks/${keyOf(cache, random)}`, DEAD),
  'a lock that says nothing': (cache, random) => litter(cache, `locks/${keyOf(cache, random)}`, ''),
  'a lock with noise': (cache, random) =>
    litter(cache, `locks/${keyOf(cache, random)}`, Buffer.alloc(99, random.below(256))),
  'a dead lock breaker': (cache, random) => litter(cache, `locks/${keyOf(cache, random)}.break`, DEAD),
  'a lock that was being made': (cache, random) =>
    litter(cache, `locks/${keyOf(cache, random)}.${DEAD}.01234567`, DEAD),
  'a temporary file': (cache) => litter(cache, `tmp/${DEAD}.blob.01234567`, 'cut'),
  'a work folder': (cache) => {
    mkdirSync(join(cache, `tmp/${DEAD}.cluster-tools.01234567/root/etc`), { recursive: true });
    litter(cache, `tmp/${DEAD}.cluster-tools.01234567/root/etc/passwd`, 'x');
    chmodSync(join(cache, `tmp/${DEAD}.cluster-tools.01234567/root/etc`), 0);
  },
  'a record of nothing': (cache) => litter(cache, `ac/${'0'.repeat(64)}`, '{}\n{}\n'),
  'a bad entry': (cache, random) => litter(cache, `bad/${keyOf(cache, random)}`, 'bad'),
  'a wrong digest of a known file': (cache, random) => {
    const path = join(cache, 'files.json');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const digests = text.match(/[0-9a-f]{64}/g);
    if (digests === null) return;
    const sha256 = random.pick(digests);
    writeFileSync(
      path,
      text.replaceAll(
        sha256,
        sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    );
  },
  'an unfinished download': (cache) => litter(cache, `downloads/${'0'.repeat(64)}`, 'cut'),
};

/** A cache in which bytes changed, or that holds what dead processes left. */
export const flipScenario: Scenario = {
  name: 'flip',
  unit: 'damaged files',
  count: 300,
  few: 12,
  async trial(number, random, workshop) {
    const state = random.pick<StartingState>(['cached', 'built']);
    const target = random.pick([SMALL, SMALL_CHANGED]);
    const trial = await workshop.trial(`flip-${number}`, state, SMALL);
    // Another build of this trial knows its files, so that it does not look at all of them again.
    if (random.below(2) === 0) await trial.complete(SMALL);
    if (random.below(2) === 0) rmSync(trial.out(), { recursive: true, force: true });
    const counts = new Counts();
    const harm = 1 + random.below(5);
    for (let round = 0; round < harm; round++) {
      const isLitter = random.below(3) === 0;
      const kinds = isLitter ? LITTER : DAMAGES;
      const kind = random.pick(Object.keys(kinds));
      if (isLitter) LITTER[kind]?.(trial.cache, random);
      else DAMAGES[kind]?.(random.pick(filesOf(trial.cache)), random, trial.cache);
      counts.add(kind);
    }
    await trial.complete(target, { ...withoutOverride(), mayRepeat: true });
    // What was put right stays right: nothing is damaged any more, and nothing has to run.
    const again = await trial.complete(target);
    trial.expectUnchanged(again);
    trial.remove();
    return { harm, kinds: counts.all };
  },
};

/** Permissions count for root only where it gives up this right. */
export function withoutOverride(): TrialBuildOptions {
  if (process.geteuid?.() !== 0) return {};
  return { wrapper: ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] };
}

/** Records, blobs and the list of known files. */
function filesOf(cache: string): string[] {
  const isFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const entries = ['ac', 'cas'].flatMap((folder) =>
    readdirSync(join(cache, folder))
      .sort()
      .map((name) => join(cache, folder, name)),
  );
  return [...entries, join(cache, 'files.json')].filter(isFile);
}

function keyOf(cache: string, random: Random): string {
  return random.pick(readdirSync(join(cache, 'ac')).sort());
}

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  if (bytes.length > 0) edit(bytes);
  writeFileSync(path, bytes);
}

function litter(cache: string, name: string, content: string | Buffer): void {
  writeFileSync(join(cache, name), content);
}
