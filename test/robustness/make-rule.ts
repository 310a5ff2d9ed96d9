import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../pipelines/program-folders.js';
import type { BuildEnd, BuildProcess } from './build-process.js';
import { expectNoSpaceMessage } from './full-disk.js';
import { SMALL, type Variant } from './recipes.js';
import { expectThat, type Scenario } from './scenario.js';
import { expectInterruption } from './signal.js';
import { missingForDisk, SmallDisk } from './small-disk.js';
import type { Trial, TrialBuildOptions } from './trial.js';

const MIB = 1024 * 1024;

/** Long enough for the rule to begin, in milliseconds. */
const BEGUN_MILLISECONDS = 10_000;

/** A log keeps so much of what a rule prints. */
const LOG_BYTES_MAX = 65 * MIB;

/** A make rule that goes wrong, and what a build has to make of it. */
interface BadRule {
  /** Lines of the rule, for the shell. */
  readonly lines: readonly string[];
  /** What is done while it runs. */
  meanwhile?(build: BuildProcess): void;
  /** Throws a TrialFault unless the build ended as it should. */
  check(end: BuildEnd, trial: Trial): void;
  /** The disk with the cache has this many bytes left when it begins. */
  readonly room?: number;
}

/** What keeps the rule from the host: the best that works there, or the next best, or nothing. */
type Sandbox = 'bwrap' | 'unshare' | 'none';
/** Only root can hide programs from a build. */
const sandboxes: readonly Sandbox[] = process.geteuid?.() === 0 ? ['bwrap', 'unshare', 'none'] : ['bwrap'];

/** A build that finds no better sandbox: in its own view of the host the others' programs do nothing but fail. */
function onlyWith(sandbox: Sandbox): TrialBuildOptions {
  const hidden = { bwrap: [], unshare: ['bwrap'], none: ['bwrap', 'unshare'] }[sandbox]
    .map(findProgram)
    .filter((path) => path !== undefined);
  if (hidden.length === 0) return {};
  const script = hidden.map((path) => `mount --bind /bin/false ${path} && `).join('');
  return { wrapper: ['unshare', '--mount', 'sh', '-c', `${script}exec "$@"`, 'sh'] };
}

const HANG = 'echo hanging; sleep 1000';
/** A rule prints this when it has come to the place where it hangs. */
const HANGING = 'hanging';

const BAD_RULES: Readonly<Record<string, BadRule>> = {
  fails: { lines: ['echo it is broken', 'exit 3'], check: failed('failed with exit code 2', 'it is broken') },
  'hangs, and Ctrl-C': {
    lines: [HANG],
    meanwhile: (build) => build.kill('SIGINT', 'group'),
    check: (end) => expectInterruption(end),
  },
  hangs: { lines: [HANG], check: failed('did not end within 4 seconds') },
  'leaves a process, and fails': {
    lines: ['setsid sleep 1000 >/dev/null 2>&1 </dev/null & sleep 1000 & exit 3'],
    check: failed('failed with exit code 2'),
  },
  'hangs, and SIGKILL': { lines: [HANG], meanwhile: (build) => build.kill('SIGKILL'), check: () => {} },
  'fills the disk': {
    lines: ["dd if=/dev/zero of='$(UML_ROOT)/full' bs=1M"],
    room: 24 * MIB,
    // There may be room for what it prints of that, or not.
    check: (end, trial) => {
      if (end.messages.some((line) => line.includes('make.log: error:')))
        expectNoSpaceMessage(end, trial.folder);
      else failed('failed with exit code 2', 'No space left on device')(end, trial);
    },
  },
  'is not there': { lines: [], check: failed('has no rule install_ssi_redhat') },
  'hangs and takes no signals': {
    lines: ["trap '' TERM INT HUP; while :; do sleep 1; done"],
    check: failed('did not end within 4 seconds'),
  },
  'stops itself': { lines: ['kill -STOP $$$$'], check: failed('did not end within 4 seconds') },
  'kills make': { lines: ['kill -KILL $$PPID'], check: failed('make install_ssi_redhat') },
  'prints for ever': { lines: ['yes it goes on and on'], check: failed('did not end within 4 seconds') },
  'leaves a folder that nobody may enter, and fails': {
    lines: ["mkdir -p '$(UML_ROOT)/closed/inner'; chmod 0 '$(UML_ROOT)/closed' '$(UML_ROOT)/etc'; exit 3"],
    check: failed('failed with exit code 2'),
  },
  'fills the disk with what it prints': {
    lines: ["head -c 50000000 /dev/zero | tr '\\0' x"],
    room: 12 * MIB,
    check: (end, trial) => expectNoSpaceMessage(end, trial.folder),
  },
  'hangs, and SIGTERM': {
    lines: [HANG],
    meanwhile: (build) => build.kill('SIGTERM'),
    check: (end) => expectInterruption(end),
  },
};

/** Make rules that fail, hang, leave something or fill the disk. Each is tried with and without outputs of before. */
export const makeRuleScenario: Scenario = {
  name: 'make',
  unit: 'bad rules',
  count: 3 * Object.keys(BAD_RULES).length,
  few: 6,
  async trial(number, _random, workshop) {
    const names = Object.keys(BAD_RULES);
    const name = names[number % names.length] ?? '';
    const rule = BAD_RULES[name] as BadRule;
    if (rule.room !== undefined && missingForDisk() !== undefined)
      return { harm: 0, kinds: { 'skipped: needs root': 1 } };
    const round = Math.floor(number / names.length);
    const state = round % 2 === 0 ? 'outputs' : 'empty';
    const sandbox = sandboxes[round % sandboxes.length] ?? 'bwrap';
    const disk: { mounted?: SmallDisk } = {};
    const trial = await workshop.trial(`make-${number}`, state, SMALL, ({ cache }) => {
      if (rule.room !== undefined) disk.mounted = new SmallDisk(cache);
    });
    try {
      const recipe = copyRecipe(trial);
      const makefile = join(trial.folder, 'recipes/sample/cluster-tools/Makefile');
      const good = readFileSync(makefile, 'utf8');
      writeFileSync(
        makefile,
        rule.lines.length === 0
          ? 'all:\n'
          : `install_ssi_redhat:\n${rule.lines.map((line) => `\t${line}\n`).join('')}`,
      );
      if (rule.room !== undefined) disk.mounted?.leave('bytes', rule.room);
      await buildWith(rule, recipe, trial, sandbox);
      const outputs = await trial.expectWhole([SMALL]);
      expectThat(outputs === (state === 'outputs' ? SMALL : undefined), 'the outputs changed');
      writeFileSync(makefile, good);
      disk.mounted?.makeRoomy();
      const { events } = await trial.complete(recipe);
      const unpacks = events.some((event) => event.type === 'stage-start' && event.stage === 'base-unpack');
      expectThat(!unpacks, 'the next build begins from the start');
    } finally {
      disk.mounted?.remove();
    }
    trial.remove();
    return { harm: 1, kinds: { [`it ${name}`]: 1, [`sandbox ${sandbox}`]: 1 } };
  },
};

/** The recipe with cluster tools of its own, and little time for them. */
function copyRecipe(trial: Trial): Variant {
  const { recipes } = trial.workshop;
  const folder = join(trial.folder, 'recipes');
  for (const name of ['defaults', 'sample', SMALL.recipe])
    cpSync(join(recipes, name), join(folder, name), { recursive: true });
  const recipe = join(folder, SMALL.recipe);
  writeFileSync(recipe, readFileSync(recipe, 'utf8').replace('timeLimit: 30s', 'timeLimit: 4s'));
  return { ...SMALL, recipe };
}

async function buildWith(rule: BadRule, recipe: Variant, trial: Trial, sandbox: Sandbox): Promise<void> {
  const build = trial.start(recipe, onlyWith(sandbox));
  if (rule.meanwhile !== undefined) {
    await begun(build);
    rule.meanwhile(build);
  }
  const end = await build.ended;
  expectThat(end.code !== 0, 'the build takes no notice');
  rule.check(end, trial);
  // After a SIGKILL only the next build can clear up.
  if (end.signal === null) await trial.expectNothingLeft();
}

/** Waits until the rule says that it hangs. */
async function begun(build: BuildProcess): Promise<void> {
  const end = performance.now() + BEGUN_MILLISECONDS;
  while (!build.printed().includes(`"line":"${HANGING}"`)) {
    expectThat(performance.now() < end, 'the rule does not begin');
    await sleep(20);
  }
}

/** One message with these words, the path of a log that is there, and exit code 1. */
function failed(...words: readonly string[]): BadRule['check'] {
  return ({ code, signal, messages }, trial) => {
    const text = messages.join('\n');
    expectThat(code === 1, `it ends with ${code ?? signal}: ${text}`);
    expectThat(messages.filter((line) => line.startsWith('error: ')).length === 1, `it says: ${text}`);
    for (const word of words) expectThat(text.includes(word), `"${word}" is missing: ${text}`);
    const log = /Everything it printed is in (\S+)\./.exec(text)?.[1] ?? '';
    expectThat(log.startsWith(join(trial.cache, 'logs/')), `it names no log in the cache: ${text}`);
    const names = readdirSync(join(trial.cache, 'logs'));
    expectThat(names.length === 1, `there are ${names.length} logs`);
    const { size } = statSync(log);
    expectThat(size > 0 && size < LOG_BYTES_MAX, `the log has ${size} bytes`);
  };
}
