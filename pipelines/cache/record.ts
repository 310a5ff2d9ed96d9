import { canonicalJson, type JsonValue, sha256 } from './canonical-json.js';

/** A result of a stage: bytes with a name. */
export interface Artifact {
  /** SHA-256 of the bytes, holes as zeros. */
  readonly sha256: string;
  /** Length in bytes. */
  readonly size: number;
  /** Whether the cache keeps the bytes, or only what they were. */
  readonly stored: boolean;
}

/** Everything that decides a stage's result, by name: the key is the digest of just this. */
export type KeyFields = Readonly<Record<string, string>>;

/** What the cache knows of one run of a stage. */
export interface StageRecord {
  readonly stage: string;
  readonly recipe: string;
  readonly fields: KeyFields;
  readonly artifacts: Readonly<Record<string, Artifact>>;
  /** Small results beside the artifacts: counts, reports. */
  readonly facts: JsonValue;
  /** Blobs that the artifacts refer to: a tree's contents lie in them. */
  readonly references: readonly string[];
  /** How long the run took. */
  readonly milliseconds: number;
}

const FORMAT = 1;

/** The key of a stage: see design notes in docs/decisions. */
export function keyOf(fields: KeyFields): string {
  return sha256(canonicalJson(fields));
}

/** A record as it lies in the cache: with a digest over all of it. */
export function encodeRecord(record: StageRecord): string {
  const body = canonicalJson({ format: FORMAT, ...record } as unknown as JsonValue);
  return `${JSON.stringify({ digest: sha256(body) })}\n${body}\n`;
}

/** Reads a record. Undefined when it is damaged, of another format, or not the one of `key`. */
export function decodeRecord(text: string, key: string): StageRecord | undefined {
  const [head = '', body = ''] = text.split('\n');
  try {
    const { digest } = JSON.parse(head) as { digest?: unknown };
    if (digest !== sha256(body)) return undefined;
    const record = JSON.parse(body) as StageRecord & { format: number };
    return record.format === FORMAT && keyOf(record.fields) === key ? record : undefined;
  } catch {
    return undefined;
  }
}
