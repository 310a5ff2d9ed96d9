import { z } from 'zod';
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
  /** Digests of the user's files that they refer to where these lie. */
  readonly hostFiles: readonly string[];
  /** How long the run took. */
  readonly milliseconds: number;
}

const FORMAT = 1;

/** A digest is a part of paths: it must be one. */
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const recordSchema = z.object({
  format: z.literal(FORMAT),
  stage: z.string(),
  recipe: z.string(),
  fields: z.record(z.string(), z.string()),
  artifacts: z.record(z.string(), z.object({ sha256: digest, size: z.int().min(0), stored: z.boolean() })),
  facts: z.custom<JsonValue>((value) => value !== undefined),
  references: z.array(digest),
  hostFiles: z.array(digest),
  milliseconds: z.number(),
});

/** The key of a stage: the digest of everything that decides its result. */
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
  const [head = '', body = '', ...rest] = text.split('\n');
  if (rest.length !== 1 || rest[0] !== '') return undefined;
  try {
    const { digest } = JSON.parse(head) as { digest?: unknown };
    if (digest !== sha256(body)) return undefined;
    const record = recordSchema.parse(JSON.parse(body));
    return keyOf(record.fields) === key ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The blobs that a record's artifacts need, each once. */
export function blobsOf(record: StageRecord): string[] {
  const stored = Object.values(record.artifacts).filter((artifact) => artifact.stored);
  return [...new Set([...stored.map(({ sha256 }) => sha256), ...record.references])];
}

/** Whether two runs made the same bytes. */
export function isSameResult(a: StageRecord, b: StageRecord): boolean {
  const digestsOf = ({ artifacts }: StageRecord): string =>
    canonicalJson(Object.fromEntries(Object.entries(artifacts).map(([name, { sha256 }]) => [name, sha256])));
  return digestsOf(a) === digestsOf(b);
}
