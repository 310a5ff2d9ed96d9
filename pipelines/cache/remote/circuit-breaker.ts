/** So many failures in a row open it. */
const FAILURES_MAX = 3;

/** So long it stays open before one call may try again, in milliseconds. */
const COOL_MILLISECONDS = 15_000;

/** Spares a store that does not work further calls, and the build the time for them. */
export class CircuitBreaker {
  private failures = 0;
  private openedAt: number | undefined;
  private isTrying = false;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Whether a call may be made; after a while one may, to see whether it works again. */
  admits(): boolean {
    if (this.openedAt === undefined) return true;
    if (this.isTrying || this.now() - this.openedAt < COOL_MILLISECONDS) return false;
    this.isTrying = true;
    return true;
  }

  succeeded(): void {
    this.failures = 0;
    this.openedAt = undefined;
    this.isTrying = false;
  }

  failed(): void {
    this.failures += 1;
    this.isTrying = false;
    if (this.failures >= FAILURES_MAX) this.openedAt = this.now();
  }
}
