import type { StageRecord } from '../cache/record.js';

/** Where what the cache lacks may be known. It throws only when it is interrupted. */
export interface RemoteResults {
  record(key: string): Promise<StageRecord | undefined>;
  /** Gets a blob of a key's record into the cache; whether it is there now, and good. */
  blob(key: string, sha256: string): Promise<boolean>;
}
