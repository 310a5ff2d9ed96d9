/** Lets only so many pieces of work run at once; the others wait their turn. */
export class Limiter {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  /** `limit` is at least 1. */
  constructor(limit: number) {
    if (!(limit >= 1)) throw new RangeError(`a limit of ${limit}`);
    this.free = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits gets this very place: it never looks free to somebody who comes between.
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}
