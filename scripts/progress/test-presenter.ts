import { relative } from 'node:path';
import { printable } from '../../images/diagnostic.js';
import type { ClusterListener } from '../../pipelines/nodes/cluster-events.js';
import type { CheckResult, TestEvent } from '../../pipelines/test-run/check.js';
import type { TestObserver, TestReport } from '../../pipelines/test-run/test-run.js';
import { ClusterPresenter } from '../cluster/cluster-presenter.js';
import { formatDuration } from './amounts.js';
import { defaultStyle } from './presenter.js';

/** Shows the results of checks on standard output, a line each, and what happens to the nodes on standard error. */
export class TestPresenter implements TestObserver {
  /** Whether the check that runs is shown, until it has ended. */
  private readonly isLive = defaultStyle() === 'tree';

  listen(event: TestEvent): void {
    if (event.type === 'check-start') {
      if (this.isLive) process.stderr.write(`\r\x1b[K${titleOf(event)} …`);
      return;
    }
    if (this.isLive) process.stderr.write('\r\x1b[K');
    process.stdout.write(`${resultLines(event.result).join('\n')}\n`);
  }

  async watch<T>(work: (listener: ClusterListener) => Promise<T>): Promise<T> {
    const presenter = await ClusterPresenter.start();
    try {
      return await work(presenter.listen);
    } finally {
      await presenter.end();
    }
  }
}

function titleOf({ name, node }: Pick<CheckResult, 'name' | 'node'>): string {
  return `${printable(name)}${node === undefined ? '' : ` (node${node})`}`;
}

function resultLines(result: CheckResult): string[] {
  const { outcome, milliseconds, reason = '', details } = result;
  const title = titleOf(result);
  switch (outcome) {
    case 'ok':
      return [`ok       ${title}  ${formatDuration(milliseconds)}`];
    case 'skipped':
      return [`skipped  ${title}: ${printable(reason)}`];
    case 'failed':
      return [
        `failed   ${title}  ${formatDuration(milliseconds)}: ${printable(reason)}`,
        ...details.map((line) => `           ${line}`),
      ];
  }
}

/** How many checks went how, and where to look further. */
export function testSummary(report: TestReport): string {
  const { recipe, results, cluster, logs, isKept, milliseconds } = report;
  const of = (outcome: CheckResult['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length;
  const skipped = of('skipped') === 0 ? '' : `, ${of('skipped')} skipped`;
  const lines = [
    `${recipe}: ${of('ok')} checks ok, ${of('failed')} failed${skipped} (${formatDuration(milliseconds)})`,
  ];
  if (logs !== undefined) lines.push(`The consoles: ${shownPath(logs)}/node1.log …`);
  if (isKept)
    lines.push(
      `The cluster still runs, as --keep says. Its name is ${cluster}:`,
      `  npx ssi-status --name ${cluster}`,
      `  npx ssi-console --name ${cluster} 1     (Ctrl-] detaches)`,
      `  npx ssi-exec --name ${cluster} 1 COMMAND`,
      `  npx ssi-stop --name ${cluster}          (the next "ssi-image test" removes its working copy)`,
    );
  return `${lines.join('\n')}\n`;
}

function shownPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}
