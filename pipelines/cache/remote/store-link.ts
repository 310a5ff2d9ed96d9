import { setTimeout as sleep } from 'node:timers/promises';
import { sha256 } from '../canonical-json.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { type FaultKind, type ObjectKind, type ObjectStore, StoreFault } from './object-store.js';
import { TimeAccount } from './time-account.js';

/** So often a call is made before it counts as failed. */
const attemptsFor: Record<FaultKind, number> = { passing: 3, damaged: 2, denied: 1, lasting: 1 };

/** A store with so many objects that are not what their names say is read no more. */
const DAMAGES_MAX = 16;

/** The first wait between two, in milliseconds; each further one is up to three times as long. */
const WAIT_MILLISECONDS = 100;

/** No wait is longer, whatever the store asks for. */
const WAIT_MILLISECONDS_MAX = 2_000;

/** What went over the link. */
export interface LinkTraffic {
  readonly requests: number;
  /** Bytes of objects, without what the protocol adds. */
  readonly received: number;
  readonly sent: number;
}

export interface StoreLinkOptions {
  /** How much of the build's time may be lost, in milliseconds. */
  readonly patience: number;
  readonly signal: AbortSignal;
  /** Told once for each kind of trouble. */
  readonly onTrouble: (message: string) => void;
}

/**
 * A store with everything that keeps it from doing harm: it never throws but on interruption, waits no longer than it
 * may, tries again what may work again, and leaves a store in peace that does not work. What it can't get is not there.
 */
export class StoreLink {
  readonly account: TimeAccount;
  readonly traffic = { requests: 0, received: 0, sent: 0 };
  private readonly breaker = new CircuitBreaker();
  private readonly signal: AbortSignal;
  private readonly told = new Set<string>();
  private damages = 0;
  private isReadable = true;
  private isWritable = true;

  constructor(
    readonly store: ObjectStore,
    private readonly options: StoreLinkOptions,
  ) {
    this.account = new TimeAccount(options.patience);
    this.signal = AbortSignal.any([options.signal, this.account.signal]);
    this.account.signal.addEventListener('abort', () =>
      this.tell('patience', `it took ${Math.round(options.patience / 1000)} s of this build`),
    );
  }

  /** Whether it is of any use to ask it for something. */
  get canRead(): boolean {
    return this.isReadable && this.damages < DAMAGES_MAX && !this.signal.aborted;
  }

  get canWrite(): boolean {
    return this.isWritable && !this.signal.aborted;
  }

  /** Bytes by their digest, checked; undefined when they are not to be had. */
  async getBytes(digest: string): Promise<Buffer | undefined> {
    return this.get('cas', digest, (bytes) => {
      if (sha256(bytes) !== digest) {
        throw new StoreFault('damaged', 'it sends other bytes than were asked for');
      }
      return bytes;
    });
  }

  /** An object as `read` takes it, which throws a StoreFault when it is not what it should be. */
  async get<T>(kind: ObjectKind, name: string, read: (bytes: Buffer) => T): Promise<T | undefined> {
    if (!this.canRead) return undefined;
    const outcome = await this.attempt('read', async () => {
      const bytes = await this.store.get(kind, name, this.signal);
      this.traffic.received += bytes?.length ?? 0;
      return bytes === undefined ? undefined : read(bytes);
    });
    return outcome?.value;
  }

  /** Whether it is there: false also when that can't be found out. */
  async has(kind: ObjectKind, name: string): Promise<boolean> {
    if (!this.canRead) return false;
    const outcome = await this.attempt('read', () => this.store.has(kind, name, this.signal));
    return outcome?.value === true;
  }

  /** Whether it arrived. */
  async put(kind: ObjectKind, name: string, bytes: Uint8Array): Promise<boolean> {
    if (!this.canWrite) return false;
    const outcome = await this.attempt('write', async () => {
      this.traffic.sent += bytes.length;
      await this.store.put(kind, name, bytes, this.signal);
    });
    return outcome !== undefined;
  }

  close(): void {
    this.store.close();
  }

  /** Undefined when it did not work. */
  private async attempt<T>(
    direction: 'read' | 'write',
    call: () => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    if (!this.breaker.admits()) return undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        this.traffic.requests += 1;
        const value = await call();
        this.breaker.succeeded();
        return { value };
      } catch (error) {
        if (!(error instanceof StoreFault)) throw error;
        const isLast = attempt >= attemptsFor[error.kind] || this.signal.aborted;
        if (isLast) {
          this.giveUp(error, direction);
          return undefined;
        }
        await this.pause(attempt, error.retryAfter);
        if (!this.breaker.admits()) return undefined;
      }
    }
  }

  private giveUp({ kind, message }: StoreFault, direction: 'read' | 'write'): void {
    if (kind === 'denied') {
      // It works, but not for us: the other direction may.
      this.breaker.succeeded();
      if (direction === 'read') this.isReadable = false;
      else this.isWritable = false;
      this.tell(
        direction,
        `${message}: nothing is ${direction === 'read' ? 'read from it' : 'written to it'}`,
      );
      return;
    }
    if (kind === 'damaged') {
      this.breaker.succeeded();
      this.damages += 1;
    } else {
      this.breaker.failed();
    }
    if (!this.signal.aborted) this.tell(kind, message);
  }

  /** Waits before the next attempt, at random, so that many who failed together don't come back together. */
  private async pause(attempt: number, asked = 0): Promise<void> {
    const longest = WAIT_MILLISECONDS * 3 ** attempt;
    const wait = Math.max(asked, WAIT_MILLISECONDS + Math.random() * (longest - WAIT_MILLISECONDS));
    await sleep(Math.min(wait, WAIT_MILLISECONDS_MAX), undefined, { signal: this.signal }).catch(() => {});
  }

  private tell(what: string, message: string): void {
    if (this.told.has(what)) return;
    this.told.add(what);
    this.options.onTrouble(`remote cache ${this.store.name}: ${message}; the build goes on without`);
  }
}
