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
    // What it knew may be here by now.
    const asked = await this.asked.get(key);
    if (asked !== undefined) return { record: asked, isRemote: true };
    const here = this.here(stage, key);
    if (here !== undefined) return { record: here, isRemote: false };
    const record = await this.askRemote(stage, key);
    return record === undefined ? undefined : { record, isRemote: true };
  }

  private askRemote(stage: Stage, key: string): Promise<StageRecord | undefined> {
    let answer = this.asked.get(key);
    if (answer === undefined) {
      answer = this.fromRemote(stage, key);
      this.asked.set(key, answer);
    }
    return answer;
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
