import { printable } from '../../images/diagnostic.js';
import type { BuildEvent } from '../../pipelines/engine/events.js';
import { formatBytes } from '../command-line/output.js';
import { formatDuration, ProgressMeter } from './amounts.js';
import type { Presenter } from './presenter.js';
import { remoteText } from './remote-text.js';

/** How often a stage that takes long says how far it is, in milliseconds. */
const REPORT_MILLISECONDS = 15_000;

const reasons = { new: '', asked: ', as asked', bytes: ', for its bytes' } as const;

/** A line for each thing that happens: for logs. */
export class PlainPresenter implements Presenter {
  private readonly started = new Map<string, { reported: number; meter: ProgressMeter }>();

  listen(event: BuildEvent): void {
    const line = this.lineOf(event);
    if (line !== undefined) process.stderr.write(`${line}\n`);
  }

  async end(): Promise<void> {}

  private lineOf(event: BuildEvent): string | undefined {
    switch (event.type) {
      case 'stage-start':
        this.started.set(event.stage, { reported: performance.now(), meter: new ProgressMeter() });
        return `${event.stage}: runs${reasons[event.reason]}`;
      case 'stage-hit':
        return `${event.stage}: ${event.from === 'remote' ? 'cached remotely' : 'cached'}`;
      case 'stage-wait':
        return `${event.stage}: waits for process ${event.process}, which runs it`;
      case 'stage-progress':
        return this.progress(event);
      case 'stage-output':
        return `${event.stage}| ${printable(event.line)}`;
      case 'stage-done':
        this.started.delete(event.stage);
        return `${event.stage}: done in ${formatDuration(event.milliseconds)}${event.bytes === 0 ? '' : `, ${formatBytes(event.bytes)}`}`;
      case 'stage-failed':
        return `${event.stage}: failed`;
      case 'remote-done':
        return remoteText(event);
      case 'warning':
        return warningText(event);
      default:
        return undefined;
    }
  }

  private progress(event: BuildEvent & { type: 'stage-progress' }): string | undefined {
    const stage = this.started.get(event.stage);
    if (stage === undefined) return undefined;
    const text = stage.meter.text(event.done, event.total, event.note);
    const now = performance.now();
    if (now - stage.reported < REPORT_MILLISECONDS) return undefined;
    stage.reported = now;
    return `${event.stage}: ${text}`;
  }
}

/** A warning as it is shown everywhere. */
export function warningText({ stage, message, hint }: BuildEvent & { type: 'warning' }): string {
  const place = stage === undefined ? '' : `${stage}: `;
  return `${place}warning: ${printable(message)}${hint === undefined ? '' : `\n  ${printable(hint)}`}`;
}
