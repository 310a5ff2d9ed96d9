/**
 * The time that a build may lose to a remote cache. It runs while at least one call is on its way; what a call was worth
 * is given back. When it is used up, its signal aborts, and with it all that is on its way.
 */
export class TimeAccount {
  private readonly controller = new AbortController();
  private spent = 0;
  /** Calls on their way, and since when there is one. */
  private active = 0;
  private since = 0;
  private timer: NodeJS.Timeout | undefined;

  /** `limit` in milliseconds; infinite for one that never ends. */
  constructor(readonly limit: number) {}

  /** Aborted when nothing is left. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Milliseconds lost by now. */
  get lost(): number {
    return this.spent + (this.active > 0 ? performance.now() - this.since : 0);
  }

  /**
   * Does `work` while the time runs. `worth` says what its result saves, in milliseconds: so much of the time that it
   * took is given back.
   */
  async charge<T>(work: () => Promise<T>, worth: (result: T) => number): Promise<T> {
    const start = performance.now();
    if (this.active === 0) this.since = start;
    this.active += 1;
    this.watch();
    try {
      const result = await work();
      this.spent -= Math.min(performance.now() - start, Math.max(0, worth(result)));
      return result;
    } finally {
      this.active -= 1;
      if (this.active === 0) this.spent = Math.max(0, this.spent + performance.now() - this.since);
      this.watch();
    }
  }

  private watch(): void {
    clearTimeout(this.timer);
    if (this.active === 0 || this.signal.aborted) return;
    const left = this.limit - this.lost;
    if (left <= 0) this.controller.abort();
    else if (Number.isFinite(left)) this.timer = setTimeout(() => this.watch(), left + 1);
  }
}
