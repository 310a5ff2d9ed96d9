import type { BuildEvent } from '../../pipelines/engine/events.js';

/** Shows what a build tells. Always on standard error: standard output is for results. */
export interface Presenter {
  listen(event: BuildEvent): void;
  /** Ends the display, also when the build failed. */
  end(): Promise<void>;
}

/** How the user wants it: `tree` on a terminal, `plain` lines elsewhere, `json` for programs. */
export type ProgressStyle = 'tree' | 'plain' | 'json';

export function defaultStyle(): ProgressStyle {
  const isDumb = process.env.TERM === 'dumb' || (process.env.CI ?? '') !== '';
  // A serial console has no size: a tree can't be laid out on that, its renderer fails.
  const hasSize = process.stderr.columns > 0 && process.stdout.columns !== 0;
  return process.stderr.isTTY && hasSize && !isDumb ? 'tree' : 'plain';
}

/** Loads and starts the presenter of a style. */
export async function startPresenter(style: ProgressStyle): Promise<Presenter> {
  switch (style) {
    case 'tree':
      return new (await import('./tree-presenter.js')).TreePresenter();
    case 'plain':
      return new (await import('./plain-presenter.js')).PlainPresenter();
    case 'json':
      return new (await import('./json-presenter.js')).JsonPresenter();
  }
}
