import { DiagnosticError } from '../diagnostic.js';

/** How long work may hold the event loop, in milliseconds, before it lets signals and progress through. */
const SLICE_MILLISECONDS = 40;

/**
 * Keeps long synchronous work polite: call `step()` often, and `await breathe()` where it says so. Signals and
 * progress displays then get their turn, and an abort ends the work with a DiagnosticError of kind `interrupted`.
 */
export class Pace {
  private last = performance.now();

  constructor(readonly signal?: AbortSignal) {}

  /** True when the work should `await breathe()` now. */
  due(): boolean {
    return performance.now() - this.last > SLICE_MILLISECONDS;
  }

  /** Lets the event loop run once. Throws a DiagnosticError when the work was aborted. */
  async breathe(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.check();
    this.last = performance.now();
  }

  /** Throws a DiagnosticError when the work was aborted. */
  check(): void {
    if (this.signal?.aborted === true)
      throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  }
}
