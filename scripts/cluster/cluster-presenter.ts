import { printable } from '../../images/diagnostic.js';
import type { ClusterEvent } from '../../pipelines/nodes/cluster-events.js';
import { byteProgress } from '../command-line/progress.js';
import { formatDuration } from '../progress/amounts.js';
import { defaultStyle, type Presenter, startPresenter } from '../progress/presenter.js';

const ends: Readonly<Record<string, string>> = {
  left: 'shut down',
  killed: 'did not shut down: ended',
  cut: 'its power was cut',
  stays: "can't be ended",
  died: 'ended by itself',
};

/** Shows on standard error what happens to nodes: a tree on a terminal, lines elsewhere. */
export class ClusterPresenter {
  private readonly notes: string[] = [];
  private copying: ReturnType<typeof byteProgress> | undefined;

  private constructor(private readonly tree: Presenter | undefined) {}

  static async start(): Promise<ClusterPresenter> {
    return new ClusterPresenter(defaultStyle() === 'tree' ? await startPresenter('tree') : undefined);
  }

  readonly listen = (event: ClusterEvent): void => {
    if (event.type === 'copy') {
      this.copying ??= byteProgress('working copy');
      this.copying.update(event.done);
      return;
    }
    this.copying?.done();
    this.copying = undefined;
    if (event.type === 'note') {
      this.notes.push(
        `${printable(event.message)}${event.hint === undefined ? '' : `\n  ${printable(event.hint)}`}\n`,
      );
      return;
    }
    if (this.tree === undefined) {
      const line = lineOf(event);
      if (line !== undefined) process.stderr.write(`${line}\n`);
    } else draw(this.tree, event);
  };

  /** Ends the display, also when it went wrong. */
  async end(): Promise<void> {
    this.copying?.done();
    await this.tree?.end();
    for (const note of this.notes) process.stderr.write(`note: ${note}`);
  }
}

function lineOf(event: ClusterEvent): string | undefined {
  switch (event.type) {
    case 'node-start':
      return `${event.node}: starts`;
    case 'node-step':
      return `${event.node}| ${event.text}`;
    case 'node-ready':
      return `${event.node}: ready in ${formatDuration(event.milliseconds)}`;
    case 'node-failed':
      return `${event.node}: did not come up`;
    case 'node-leaving':
      return `${event.node}: shuts down`;
    case 'node-ended':
      return `${event.node}: ${ends[event.how] ?? event.how} after ${formatDuration(event.milliseconds)}`;
    default:
      return undefined;
  }
}

/** The tree is that of a build's stages: nodes stand for these. */
function draw(tree: Presenter, event: ClusterEvent): void {
  switch (event.type) {
    case 'begin':
      tree.listen({
        type: 'build-start',
        recipe: '',
        stages: event.nodes.map((name) => ({ name, title: name })),
      });
      return;
    case 'node-start':
    case 'node-leaving':
      tree.listen({ type: 'stage-start', stage: event.node, key: '', reason: 'new' });
      return;
    case 'node-step':
      tree.listen({ type: 'stage-output', stage: event.node, line: event.text });
      return;
    case 'node-ready':
      tree.listen({
        type: 'stage-done',
        stage: event.node,
        key: '',
        milliseconds: event.milliseconds,
        bytes: 0,
      });
      return;
    case 'node-failed':
      tree.listen({ type: 'stage-failed', stage: event.node, diagnostics: [] });
      return;
    case 'node-ended':
      if (event.how === 'left')
        tree.listen({
          type: 'stage-done',
          stage: event.node,
          key: '',
          milliseconds: event.milliseconds,
          bytes: 0,
        });
      else tree.listen({ type: 'stage-failed', stage: event.node, diagnostics: [] });
      return;
    default:
  }
}
