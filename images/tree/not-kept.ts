import type { ByteString } from '../bytes/byte-string.js';

/** Something of the source that the host does not have now. */
export interface NotKept {
  /** Of what it was lost; `/` where it is a number of entries. */
  readonly path: ByteString;
  readonly what: string;
  readonly why: string;
}

/** Gathers what an extraction could not keep: by name, or as a number where nearly every entry is concerned. */
export class Losses {
  private readonly named: NotKept[] = [];
  private readonly counted = new Map<string, { what: string; why: string; entries: number }>();

  add(path: ByteString, what: string, why: string): void {
    this.named.push({ path, what, why });
  }

  /** Counts one more entry that lost `what` for this reason. */
  count(what: string, why: string): void {
    const key = `${what}: ${why}`;
    const known = this.counted.get(key);
    if (known === undefined) this.counted.set(key, { what, why, entries: 1 });
    else known.entries += 1;
  }

  /** The numbers first: a list of names may be long. */
  list(): NotKept[] {
    const numbers = [...this.counted.values()].map(({ what, why, entries }) => ({
      path: '/',
      what: `${what} of ${entries} ${entries === 1 ? 'entry' : 'entries'}`,
      why,
    }));
    return [...numbers, ...this.named];
  }
}
