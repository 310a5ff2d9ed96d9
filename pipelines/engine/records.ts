import type { Cache } from '../cache/cache.js';
import type { StageRecord } from '../cache/record.js';
import type { RemoteResults } from './remote-results.js';
import type { Stage } from './stage.js';

/** A record, and whether the remote cache had it. */
export interface FoundRecord {
  readonly record: StageRecord;
  readonly isRemote: boolean;
}

/** What is known of keys, here and in the remote cache, which is asked for each of them once. */
export class Records {
  private readonly asked = new Map<string, Promise<StageRecord | undefined>>();

  constructor(
    private readonly cache: Cache,
    private readonly remote: RemoteResults | undefined,
    /** Called with what the remote cache knew: from now on this one is to know it too. */
    private readonly keep: (key: string, record: StageRecord) => void,
  ) {}

  /** What the cache knows of a key, if it is about all that the stage makes. */
  here(stage: Stage, key: string): StageRecord | undefined {
    return whole(stage, this.cache.record(key));
  }

  /** The same, or what the remote cache knows. */
  async find(stage: Stage, key: string): Promise<FoundRecord | undefined> {
    // What it knew may be here by now, and came from there all the same.
    if (!this.asked.has(key)) {
      const here = this.here(stage, key);
      if (here !== undefined) return { record: here, isRemote: false };
      this.asked.set(key, this.fromRemote(stage, key));
    }
    const record = await this.asked.get(key);
    if (record !== undefined) return { record, isRemote: true };
    // Another build may have made it meanwhile.
    const here = this.here(stage, key);
    return here === undefined ? undefined : { record: here, isRemote: false };
  }

  private async fromRemote(stage: Stage, key: string): Promise<StageRecord | undefined> {
    const record = whole(stage, await this.remote?.record(key));
    if (record !== undefined) this.keep(key, record);
    return record;
  }
}

function whole(stage: Stage, record: StageRecord | undefined): StageRecord | undefined {
  const isWhole = stage.artifacts.every(
    (name) => record?.artifacts[name]?.stored === (stage.keeping === 'stored'),
  );
  return isWhole ? record : undefined;
}
