import { join } from 'node:path';
import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError, formatDiagnostic } from '../../images/diagnostic.js';
import type { ClusterListener } from '../nodes/cluster-events.js';
import type { ClusterSettings } from '../nodes/cluster-settings.js';
import type { NodeStatus } from '../nodes/cluster-status.js';
import { type Check, type CheckResult, numbersTo, type TestEvent } from './check.js';
import { rootFaults } from './check-root.js';
import { runCommandInNode } from './command-in-node.js';
import { consoleTail, copyLogs, lastLines } from './consoles.js';
import { mismatchOf, shown } from './expectation.js';
import type { LeftOutCheck } from './recipe-checks.js';
import { TestCluster } from './test-cluster.js';

export interface TestRunOptions {
  /** Name of the recipe. */
  readonly recipe: string;
  readonly nodes: number;
  /** What the cluster is started with. */
  readonly settings: ClusterSettings;
  /** How long a node may take to be ready. */
  readonly startMilliseconds: number;
  /** How long a node may take to shut down before it is ended. */
  readonly stopMilliseconds: number;
  /** What is run in the nodes, when all are up; `cluster` is the name of the cluster. */
  readonly checks: (cluster: string) => readonly Check[];
  /** Checks that there is no node for. */
  readonly leftOut: readonly LeftOutCheck[];
  /** Where the consoles' logs go: always, or only when something failed. */
  readonly logs: { readonly folder: string; readonly when: 'always' | 'failed' };
  /** Whether the cluster stays when something failed. */
  readonly keep: boolean;
  /** The program that Node runs as a supervisor. */
  readonly supervisor: string;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly observer: TestObserver;
}

/** Who is told what happens. */
export interface TestObserver {
  listen(event: TestEvent): void;
  /** Shows what happens to the nodes while something is done with all of them. */
  watch<T>(work: (listener: ClusterListener) => Promise<T>): Promise<T>;
}

/** How a run of tests went. */
export interface TestReport {
  readonly recipe: string;
  /** Name of the cluster. */
  readonly cluster: string;
  readonly results: readonly CheckResult[];
  /** What the consoles of nodes that something failed on have shown at last, line by line. */
  readonly consoles: ReadonlyMap<number, readonly string[]>;
  /** Where the logs are, if they were copied. */
  readonly logs?: string;
  /** Whether the cluster is still there. */
  readonly isKept: boolean;
  readonly isInterrupted: boolean;
  readonly milliseconds: number;
}

/**
 * Boots a cluster on a working copy of a root, runs commands in its nodes, stops it and checks the root. What goes wrong
 * in the cluster is a failed check; nothing of the cluster is left, unless it is to be kept. Throws a DiagnosticError when
 * there can be no cluster at all.
 */
export async function runTests(options: TestRunOptions): Promise<TestReport> {
  const start = performance.now();
  const cluster = await TestCluster.open(options.recipe, options.supervisor);
  const run = new TestRun(options, cluster);
  let isKept = false;
  let report: Omit<TestReport, 'isKept' | 'milliseconds'>;
  try {
    await run.untilStop();
    isKept = options.keep && run.hasFailed && (await run.isAnyUp());
    if (isKept) await cluster.keep();
    else await run.stop();
    report = run.report();
  } finally {
    if (!isKept) await cluster.end();
  }
  return { ...report, isKept, milliseconds: performance.now() - start };
}

class TestRun {
  private readonly results: CheckResult[] = [];
  /** Nodes that are not up any more, and why. */
  private readonly gone = new Map<number, string>();

  constructor(
    private readonly options: TestRunOptions,
    private readonly cluster: TestCluster,
  ) {}

  get hasFailed(): boolean {
    return this.results.some(({ outcome }) => outcome === 'failed');
  }

  /** Whether there is something to keep. */
  async isAnyUp(): Promise<boolean> {
    const { signal } = this.options;
    if (signal.aborted) return false;
    const nodes = await this.states();
    return nodes.some(({ state }) => state === 'ready') && !signal.aborted;
  }

  /** Starts the nodes and runs the commands. */
  async untilStop(): Promise<void> {
    const areUp = await this.start();
    for (const check of this.options.checks(this.cluster.places.name)) {
      const { name, node } = check;
      const reason = areUp ? this.gone.get(node) : 'not all nodes are up';
      if (this.options.signal.aborted) this.skip(name, 'interrupted', node);
      else if (reason !== undefined) this.skip(name, reason, node);
      else await this.runCheck(check);
    }
    for (const { name, node } of this.options.leftOut) this.skip(name, `there is no node ${node}`, node);
  }

  /** Shuts the nodes down, which is a check for each of them, and checks the root that they leave. */
  async stop(): Promise<void> {
    const { signal } = this.options;
    const haveLeft = await this.leave();
    const name = 'the root is in order';
    if (signal.aborted) this.skip(name, 'interrupted');
    else if (!haveLeft)
      this.skip(name, 'a node has not left in good order: its journal waits for the next start');
    else await this.checkRoot(name);
  }

  report(): Omit<TestReport, 'isKept' | 'milliseconds'> {
    const { recipe, logs, signal } = this.options;
    const { places } = this.cluster;
    const failed = this.results.filter(({ outcome }) => outcome === 'failed');
    const nodes = new Set(failed.flatMap(({ node }) => (node === undefined ? [] : [node])));
    const consoles = new Map([...nodes].map((node) => [node, consoleTail(places, node)]));
    const isCopied = logs.when === 'always' || failed.length > 0;
    if (isCopied) copyLogs(places, logs.folder);
    return {
      recipe,
      cluster: places.name,
      results: this.results,
      consoles,
      ...(isCopied ? { logs: logs.folder } : {}),
      isInterrupted: signal.aborted,
    };
  }

  private async start(): Promise<boolean> {
    const { options, cluster } = this;
    const { nodes, settings, startMilliseconds, signal, observer } = options;
    const ready = new Map<number, number>();
    let fault: DiagnosticError | undefined;
    try {
      await observer.watch((listener) =>
        cluster.start(settings, nodes, startMilliseconds, {
          signal,
          listener: (event) => {
            listener(event);
            const number = event.type === 'node-ready' ? /^node(\d+)$/.exec(event.node)?.[1] : undefined;
            if (event.type === 'node-ready' && number !== undefined)
              ready.set(Number(number), event.milliseconds);
          },
        }),
      );
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      fault = error;
    }
    for (const node of numbersTo(nodes)) {
      const milliseconds = ready.get(node);
      if (milliseconds !== undefined)
        this.done({ name: COMES_UP, node, outcome: 'ok', milliseconds, details: [] });
      else if (signal.aborted) this.skip(COMES_UP, 'interrupted', node);
      else this.done({ name: COMES_UP, node, outcome: 'failed', milliseconds: 0, ...faultOf(node, fault) });
    }
    return fault === undefined;
  }

  private async runCheck(check: Check): Promise<void> {
    const { name, node, run, milliseconds, expect } = check;
    const { signal, nodes, observer } = this.options;
    observer.listen({ type: 'check-start', name, node });
    const start = performance.now();
    const done = (result: Pick<CheckResult, 'outcome' | 'details'> & { reason?: string }): void =>
      this.done({ name, node, milliseconds: performance.now() - start, ...result });
    const command = ['env', `SSI_NODE=${node}`, `SSI_NODES=${nodes}`, '/bin/sh', '-c', run];
    try {
      const outcome = await runCommandInNode(this.cluster.places, node, command, { milliseconds, signal });
      if (outcome.end.kind === 'late') {
        const { output, errorOutput } = outcome;
        const said = [...shown('output', output), ...shown('error output', errorOutput)];
        done({
          outcome: 'failed',
          reason: `no end after ${milliseconds / 1000} s: it was ended`,
          details: said,
        });
        return;
      }
      const mismatch = mismatchOf({ ...outcome, end: outcome.end }, expect);
      if (mismatch === undefined) done({ outcome: 'ok', details: [] });
      else
        done({
          outcome: 'failed',
          ...mismatch,
          details: [`command: ${shown('', run).join(' ').slice(2)}`, ...mismatch.details],
        });
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      if (signal.aborted) {
        this.skip(name, 'interrupted', node);
        return;
      }
      await this.lookForGone();
      const reason = error.diagnostics.map(({ message }) => message).join('; ');
      const isGone = this.gone.has(node);
      const details = isGone ? this.consoleOf(node) : [];
      done({ outcome: 'failed', reason, details });
    }
  }

  private async leave(): Promise<boolean> {
    const { cluster, options } = this;
    const { signal, nodes, observer, stopMilliseconds } = options;
    await this.lookForGone();
    let fault = 'the cluster has ended meanwhile';
    const ends = new Map<number, { how: string; milliseconds: number }>();
    try {
      if (signal.aborted) fault = 'interrupted';
      else
        for (const { node, end, milliseconds } of await observer.watch((listener) =>
          cluster.stop(stopMilliseconds, { listener, signal }),
        ))
          ends.set(node, { how: end, milliseconds });
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      fault = error.diagnostics.map(({ message }) => message).join('; ');
    }
    for (const node of numbersTo(nodes)) {
      const { how, milliseconds } = ends.get(node) ?? { how: undefined, milliseconds: 0 };
      const hasCome = this.results.some(
        (result) => result.name === COMES_UP && result.node === node && result.outcome === 'ok',
      );
      if (signal.aborted) this.skip(LEAVES, 'interrupted', node);
      else if (!hasCome) this.skip(LEAVES, 'it has not come up', node);
      else if (how === 'left') this.done({ name: LEAVES, node, outcome: 'ok', milliseconds, details: [] });
      else
        this.done({
          name: LEAVES,
          node,
          outcome: 'failed',
          milliseconds,
          reason: how === undefined ? (this.gone.get(node) ?? fault) : (endings[how] ?? how),
          details: this.consoleOf(node),
        });
    }
    return numbersTo(nodes).every((node) => ends.get(node)?.how === 'left');
  }

  private async checkRoot(name: string): Promise<void> {
    const { observer, pace, signal } = this.options;
    observer.listen({ type: 'check-start', name });
    const start = performance.now();
    let faults: readonly string[];
    try {
      faults = await rootFaults(join(this.cluster.places.folder, 'root_fs'), pace);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      if (signal.aborted) {
        this.skip(name, 'interrupted');
        return;
      }
      faults = error.diagnostics.map(formatDiagnostic);
    }
    const milliseconds = performance.now() - start;
    if (faults.length === 0) this.done({ name, outcome: 'ok', milliseconds, details: [] });
    else
      this.done({
        name,
        outcome: 'failed',
        milliseconds,
        reason: 'the check of the filesystem finds faults',
        details: faults,
      });
  }

  /** Notes which nodes have ended by themselves. */
  private async lookForGone(): Promise<void> {
    for (const { node, state } of await this.states()) {
      const ending = endings[state];
      if (ending !== undefined) this.gone.set(node, ending);
    }
  }

  /** What the nodes are at; nothing when the cluster does not say. */
  private async states(): Promise<readonly Pick<NodeStatus, 'node' | 'state'>[]> {
    try {
      return (await this.cluster.status(this.options.signal))?.nodes ?? [];
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      return [];
    }
  }

  private consoleOf(node: number): readonly string[] {
    const lines = lastLines(consoleTail(this.cluster.places, node));
    return lines.length === 0 ? [] : ['the last lines of its console:', ...lines.map((line) => `  ${line}`)];
  }

  private skip(name: string, reason: string, node?: number): void {
    this.done({
      name,
      ...(node === undefined ? {} : { node }),
      outcome: 'skipped',
      milliseconds: 0,
      reason,
      details: [],
    });
  }

  private done(result: CheckResult): void {
    this.results.push(result);
    this.options.observer.listen({ type: 'check-done', result });
  }
}

const COMES_UP = 'comes up';
const LEAVES = 'leaves in good order';

/** How nodes end that do not leave, by what the cluster says of it. */
const endings: Readonly<Record<string, string>> = {
  left: 'it shut down by itself',
  died: 'it ended by itself',
  crashed: 'it was ended by ssi-rm',
  fenced: 'the others had it ended',
  failed: 'it has not come up',
  killed: 'it did not shut down in time and was ended',
  stays: "one of its processes can't be ended",
};

/** Of what went wrong when the cluster was started, what has to do with a node. */
function faultOf(
  node: number,
  fault: DiagnosticError | undefined,
): Pick<CheckResult, 'details'> & { reason: string } {
  const all = fault?.diagnostics ?? [];
  const own = all.filter(({ message }) => message.startsWith(`node${node} `));
  const others = all.filter(({ message }) => !/^node\d+ /.test(message));
  const said = own.length > 0 ? own : others;
  const [first] = said;
  if (first === undefined) return { reason: 'another node has not come up', details: [] };
  const details = said.flatMap(({ excerpt = [], hint }) => [
    ...excerpt.map((line) => `  ${line}`),
    // What it says of logs holds for clusters that stay.
    ...(hint === undefined || own.length > 0 ? [] : [hint]),
  ]);
  return { reason: said.map(({ message }) => message).join('; '), details };
}
