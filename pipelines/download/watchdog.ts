import { DiagnosticError } from '../../images/diagnostic.js';
import { connectionFault, TransferFault } from './transfer-fault.js';

/**
 * Ends what waits for a server too long. Time runs only while something is waited for, so that a slow disk on this
 * side is not held against the server.
 */
export class Watchdog {
  private readonly controller = new AbortController();

  constructor(private readonly outer: AbortSignal | undefined) {
    outer?.addEventListener('abort', this.stop);
    if (outer?.aborted === true) this.stop();
  }

  /** For fetch. Aborted by the outer signal, by a timeout, and by `end`. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /**
   * Waits for a step of a transfer, `limit` milliseconds at most. Throws a TransferFault when it fails or takes too
   * long, and a DiagnosticError of kind `interrupted` after the outer signal.
   */
  async within<T>(limit: number, shown: string, step: () => Promise<T>): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.stop();
    }, limit);
    try {
      return await step();
    } catch (error) {
      if (this.outer?.aborted === true)
        throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
      if (late)
        throw new TransferFault(shown, `nothing came from the server for ${limit / 1000} s`, { retry: true });
      throw connectionFault(shown, error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets go of the connection, if it is still in use, and of the outer signal. */
  end(): void {
    this.outer?.removeEventListener('abort', this.stop);
    this.stop();
  }

  private readonly stop = (): void => this.controller.abort();
}
