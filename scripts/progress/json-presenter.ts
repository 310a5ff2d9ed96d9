import type { BuildEvent } from '../../pipelines/engine/events.js';
import type { Presenter } from './presenter.js';

/** One JSON object a line. */
export class JsonPresenter implements Presenter {
  listen(event: BuildEvent): void {
    process.stderr.write(`${JSON.stringify(event)}\n`);
  }

  async end(): Promise<void> {}
}
