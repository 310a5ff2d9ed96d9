import {
  DefaultRenderer,
  Listr,
  ListrLogger,
  type ListrTask,
  ListrTaskState,
  type ListrTaskWrapper,
  ProcessOutput,
} from 'listr2';
import { printable } from '../../images/diagnostic.js';
import type { BuildEvent, StageTitle } from '../../pipelines/engine/events.js';
import { formatBytes } from '../command-line/output.js';
import { formatDuration, ProgressMeter } from './amounts.js';
import { warningText } from './plain-presenter.js';
import type { Presenter } from './presenter.js';
import { remoteText } from './remote-text.js';

/** listr2 asks whether standard output is a terminal; ours is standard error, and somebody else has looked. */
class ErrorStreamRenderer extends DefaultRenderer {
  static override readonly nonTTY = true as never;
}

type Wrapper = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof DefaultRenderer>;

/** How often a stage's line changes, in milliseconds. */
const REFRESH_MILLISECONDS = 100;
const SHOW_CURSOR = '\x1b[?25h';

/** One stage on the screen. What happens before listr2 has made its line waits for that. */
class Row {
  readonly meter = new ProgressMeter();
  private wrapper: Wrapper | undefined;
  private readonly waiting: ((wrapper: Wrapper) => void)[] = [];
  private settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  private said = 0;

  constructor(readonly title: string) {}

  task(): ListrTask<unknown, typeof DefaultRenderer> {
    return {
      title: this.title,
      task: (_context, wrapper) =>
        new Promise<void>((resolve, reject) => {
          this.settle = { resolve, reject };
          this.wrapper = wrapper as unknown as Wrapper;
          this.wrapper.task.state$ = ListrTaskState.WAITING;
          for (const action of this.waiting) action(this.wrapper);
        }),
    };
  }

  begin(): void {
    this.do((wrapper) => {
      wrapper.task.state$ = ListrTaskState.STARTED;
    });
  }

  say(text: () => string): void {
    const now = performance.now();
    if (now - this.said < REFRESH_MILLISECONDS) return;
    this.said = now;
    this.do((wrapper) => {
      wrapper.output = text();
    });
  }

  finish(result: string): void {
    this.do((wrapper) => {
      wrapper.output = '';
      wrapper.title = `${this.title}  (${result})`;
      this.end((settle) => settle.resolve());
    });
  }

  fail(): void {
    this.do(() => this.end((settle) => settle.reject(new Error('failed'))));
  }

  /** What did not happen. */
  skip(): void {
    this.do((wrapper) => {
      if (this.settle !== undefined) wrapper.skip(this.title);
      this.end((settle) => settle.resolve());
    });
  }

  private end(how: (settle: NonNullable<Row['settle']>) => void): void {
    if (this.settle !== undefined) how(this.settle);
    this.settle = undefined;
  }

  private do(action: (wrapper: Wrapper) => void): void {
    if (this.wrapper === undefined) this.waiting.push(action);
    else action(this.wrapper);
  }
}

/**
 * The stages as a tree on a terminal, with what each does at the moment. listr2 only draws: the engine runs. Nothing is
 * drawn before something runs: a build with nothing to do ends without.
 */
export class TreePresenter implements Presenter {
  private readonly rows = new Map<string, Row>();
  private readonly notes: string[] = [];
  private running: Promise<unknown> | undefined;

  listen(event: BuildEvent): void {
    switch (event.type) {
      case 'build-start':
        for (const { name, title } of event.stages satisfies readonly StageTitle[])
          this.rows.set(name, new Row(title));
        return;
      case 'warning':
        this.notes.push(warningText(event));
        return;
      case 'remote-done':
        this.notes.push(remoteText(event));
        return;
      case 'output':
      case 'build-done':
        return;
      default:
        this.listenToStage(event, this.rows.get(event.stage));
    }
  }

  async end(): Promise<void> {
    if (this.running !== undefined) {
      for (const row of this.rows.values()) row.skip();
      await this.running;
      process.off('exit', showCursor);
    }
    for (const note of this.notes) process.stderr.write(`${note}\n`);
  }

  private listenToStage(event: BuildEvent & { stage?: string }, row: Row | undefined): void {
    switch (event.type) {
      case 'stage-start':
        this.draw();
        row?.begin();
        return;
      case 'stage-hit':
        row?.finish(event.from === 'remote' ? 'cached remotely' : 'cached');
        return;
      case 'stage-wait':
        this.draw();
        row?.say(() => `waits for process ${event.process}, which runs it`);
        return;
      case 'stage-progress':
        row?.say(() => row.meter.text(event.done, event.total, event.note));
        return;
      case 'stage-output':
        row?.say(() => printable(event.line));
        return;
      case 'stage-done': {
        const made = event.bytes === 0 ? '' : `, ${formatBytes(event.bytes)}`;
        row?.finish(`${formatDuration(event.milliseconds)}${made}`);
        return;
      }
      case 'stage-failed':
        row?.fail();
        return;
      default:
        return;
    }
  }

  private draw(): void {
    if (this.running !== undefined) return;
    process.on('exit', showCursor);
    const output = new ProcessOutput(process.stderr, process.stderr);
    const list = new Listr(
      [...this.rows.values()].map((row) => row.task()),
      {
        concurrent: true,
        exitOnError: false,
        registerSignalListeners: false,
        renderer: ErrorStreamRenderer as typeof DefaultRenderer,
        rendererOptions: {
          logger: new ListrLogger({ useIcons: true, processOutput: output }),
          showErrorMessage: false,
          formatOutput: 'truncate',
        },
      },
    );
    this.running = list.run().catch(() => {});
  }
}

/** A process that ends in the middle must not leave the terminal without a cursor. */
function showCursor(): void {
  process.stderr.write(SHOW_CURSOR);
}
