// npm run robustness [-- --scenario NAME… --count N | --few, --seed N, --jobs N, --trial N, --keep]: builds that are
// killed, interrupted, short of disk or damaged. Exit 1 when one does not heal. See README.md.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Random } from '../fuzz/random.js';
import { killBuilds } from './build-process.js';
import { flipScenario } from './flip.js';
import { fullDiskScenario } from './full-disk.js';
import { hostScenario, releaseForeign } from './host.js';
import { crashScenario, killScenario } from './kill.js';
import { makeRuleScenario } from './make-rule.js';
import { type Scenario, TrialFault } from './scenario.js';
import { signalScenario } from './signal.js';
import { unmountDisks } from './small-disk.js';
import { twiceScenario } from './twice.js';
import { Workshop } from './workshop.js';

const scenarios: readonly Scenario[] = [
  killScenario,
  crashScenario,
  signalScenario,
  fullDiskScenario,
  flipScenario,
  twiceScenario,
  makeRuleScenario,
  hostScenario,
];

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    count: { type: 'string' },
    few: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: `${availableParallelism()}` },
    trial: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const jobs = Number(values.jobs);
const only = values.trial === undefined ? undefined : Number(values.trial);

const asked = values.scenario ?? scenarios.map(({ name }) => name);
const unknown = asked.find((name) => !scenarios.some((scenario) => scenario.name === name));
if (unknown !== undefined) {
  process.stderr.write(`no scenario ${unknown}; there are ${scenarios.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const workshop = new Workshop(values.few);
let failures = 0;
process.on('exit', () => {
  killBuilds();
  unmountDisks();
  releaseForeign();
  if (failures > 0 && values.keep) process.stdout.write(`kept: ${workshop.folder}\n`);
  else workshop.remove();
});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => process.exit(130));

for (const scenario of scenarios.filter(({ name }) => asked.includes(name))) await run(scenario);
process.exitCode = failures === 0 ? 0 : 1;

/** Runs trials of a scenario, several at once, until enough harm is done. */
async function run(scenario: Scenario): Promise<void> {
  const missing = scenario.missing?.();
  if (missing !== undefined) {
    process.stdout.write(`${scenario.name}: skipped: needs ${missing}\n`);
    return;
  }
  const start = performance.now();
  const kinds = new Map<string, number>();
  const count = Number(values.count ?? (values.few ? scenario.few : scenario.count));
  let [harm, passed, failed, next] = [0, 0, 0, only ?? 0];
  const work = async (): Promise<void> => {
    while (harm < count && (only === undefined || next === only)) {
      const number = next;
      next += 1;
      try {
        const outcome = await scenario.trial(number, new Random(seed * 1_000_003 + number), workshop);
        harm += outcome.harm;
        passed += 1;
        for (const [kind, times] of Object.entries(outcome.kinds))
          kinds.set(kind, (kinds.get(kind) ?? 0) + times);
      } catch (error) {
        failed += 1;
        harm += 1;
        const text =
          error instanceof TrialFault ? error.message : error instanceof Error ? error.stack : `${error}`;
        process.stdout.write(`FAILED ${scenario.name} --seed ${seed} --trial ${number}: ${text}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  failures += failed;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(
    `${scenario.name}: ${harm} ${scenario.unit} in ${passed + failed} trials: ${passed} passed, ${failed} failed (${seconds} s)\n`,
  );
  for (const [kind, times] of [...kinds].sort()) process.stdout.write(`  ${times} ${kind}\n`);
}
