import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiagnosticError, formatDiagnostic, printable } from '../../images/diagnostic.js';
import { type ClusterSettings, settingsOf } from '../../pipelines/nodes/cluster-settings.js';
import { readStartFile } from '../../pipelines/nodes/start-file.js';
import type { Recipe } from '../../pipelines/recipe/recipe.js';
import { START_FILE_NAME } from '../../pipelines/stages/start-file.js';
import { checkBootable } from '../../pipelines/test-run/bootable.js';
import { recipeChecks } from '../../pipelines/test-run/recipe-checks.js';
import { singleRootChecks } from '../../pipelines/test-run/single-root.js';
import { runTests, type TestReport } from '../../pipelines/test-run/test-run.js';
import { parseSeconds } from '../cluster/command.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { parseInteger, parseSize } from '../command-line/values.js';
import { writeTestJunit } from '../progress/test-junit.js';
import { TestPresenter, testSummary } from '../progress/test-presenter.js';
import { type BuildVerbOptions, buildOutputs } from './build.js';
import { recipeOf } from './build-options.js';

export interface TestVerbOptions extends Omit<BuildVerbOptions, 'rerun' | 'junit' | 'json'> {
  readonly nodes?: string;
  readonly mem: string;
  readonly timeout: string;
  readonly stopTimeout: string;
  readonly append: readonly string[];
  readonly junit?: string;
  readonly logs?: string;
  readonly keep?: boolean;
}

const SUPERVISOR = fileURLToPath(new URL('../ssi-supervisor.js', import.meta.url));
/** Where the consoles go when something failed and no other place is given: beside the output folder. */
const LOGS_ENDING = '.test-logs';

/** `ssi-image test`: builds a recipe, boots a cluster of it, runs the recipe's tests, stops it. Exit 1 when one fails. */
export async function test(name: string, options: TestVerbOptions): Promise<number> {
  const recipe = recipeOf(name, options);
  const nodes = options.nodes === undefined ? recipe.cluster.nodes : parseInteger(options.nodes, '--nodes');
  const memoryMiB = Math.floor(parseSize(options.mem, '--mem') / 1024 ** 2);
  const startMilliseconds = parseSeconds(options.timeout, '--timeout');
  const stopMilliseconds = parseSeconds(options.stopTimeout, '--stop-timeout');
  checkBootable(recipe, nodes, memoryMiB);
  const { folder, settings } = await built(name, recipe, memoryMiB, options);
  const report = await runTests({
    recipe: recipe.name,
    nodes,
    settings,
    startMilliseconds,
    stopMilliseconds,
    checks: (cluster) => [
      ...singleRootChecks(nodes, cluster, recipe.ramdisk),
      ...recipeChecks(recipe.tests, nodes).checks,
    ],
    leftOut: recipeChecks(recipe.tests, nodes).leftOut,
    logs:
      options.logs === undefined
        ? { folder: `${resolve(folder)}${LOGS_ENDING}`, when: 'failed' }
        : { folder: resolve(options.logs), when: 'always' },
    keep: options.keep ?? false,
    supervisor: SUPERVISOR,
    pace: commandPace(),
    signal: interruptionSignal,
    observer: new TestPresenter(),
  });
  return conclude(report, options);
}

/** Builds what the cluster is started from. That it fails is a failure in the report, too. */
async function built(
  name: string,
  recipe: Recipe,
  memoryMiB: number,
  options: TestVerbOptions,
): Promise<{ folder: string; settings: ClusterSettings }> {
  const start = performance.now();
  try {
    const { junit: _, ...others } = options;
    const { folder } = await buildOutputs(name, { ...others, rerun: [] });
    const file = join(folder, START_FILE_NAME);
    const settings = settingsOf(readStartFile(file), file, {
      memoryMiB,
      inPlace: false,
      append: options.append,
    });
    return { folder, settings };
  } catch (error) {
    if (error instanceof DiagnosticError && options.junit !== undefined) {
      const milliseconds = performance.now() - start;
      const [first] = error.diagnostics;
      writeTestJunit(options.junit, {
        recipe: recipe.name,
        results: [
          {
            name: 'build',
            outcome: 'failed',
            milliseconds,
            reason: printable(first?.message ?? ''),
            details: error.diagnostics.map(formatDiagnostic),
          },
        ],
        consoles: new Map(),
        milliseconds,
      });
    }
    throw error;
  }
}

async function conclude(report: TestReport, { junit }: TestVerbOptions): Promise<number> {
  if (junit !== undefined) writeTestJunit(junit, report);
  await writeOut(testSummary(report));
  if (report.isInterrupted) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  return report.results.some(({ outcome }) => outcome === 'failed') ? ExitCode.failed : ExitCode.done;
}
