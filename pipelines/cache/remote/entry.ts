import { z } from 'zod';
import { canonicalJson, type JsonValue } from '../canonical-json.js';
import { blobsOf, decodeRecord, encodeRecord, type StageRecord } from '../record.js';
import { type Layout, partsSchema, sizeOfLayout } from './layout.js';
import type { Trust } from './signing.js';

const FORMAT = 1;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const blobSchema = z.object({
  size: z.int().min(0),
  /** Only for the eyes of its owner: it may hold a private key. */
  private: z.literal(true).optional(),
  /** Its parts, or the digest of the object that names them. */
  layout: z.union([partsSchema, digest]),
});

const headSchema = z.object({
  signature: z
    .object({ algorithm: z.enum(['hmac-sha256', 'ed25519']), value: z.string().max(1024) })
    .optional(),
});

const bodySchema = z.object({
  format: z.literal(FORMAT),
  key: digest,
  record: z.string(),
  blobs: z.record(digest, blobSchema),
});

/** Where the bytes of a blob lie in a remote cache. */
export interface RemoteBlob {
  readonly size: number;
  readonly isPrivate: boolean;
  /** Its parts, or the digest of the object that names them. */
  readonly layout: Layout | string;
}

/** What a remote cache has under a key: the record of a stage's run and where its bytes are. */
export interface RemoteEntry {
  readonly record: StageRecord;
  readonly blobs: ReadonlyMap<string, RemoteBlob>;
}

/** An entry as it travels: a line with its signature and a line with all else. */
export function encodeEntry(key: string, { record, blobs }: RemoteEntry, trust: Trust): Buffer {
  const listed = [...blobs].map(([sha256, { size, isPrivate, layout }]) => [
    sha256,
    { size, ...(isPrivate ? { private: true } : {}), layout },
  ]);
  const body = canonicalJson({
    format: FORMAT,
    key,
    record: encodeRecord(record),
    blobs: Object.fromEntries(listed) as JsonValue,
  });
  const signature = trust.sign(signedText(key, body));
  const head = JSON.stringify(signature === undefined ? {} : { signature });
  return Buffer.from(`${head}\n${body}\n`);
}

/** What is wrong with an entry. */
export type EntryFault = 'damaged' | 'untrusted';

/** Reads an entry that was asked for by `key`. Nothing of it is believed before its signature is. */
export function decodeEntry(bytes: Buffer, key: string, trust: Trust): RemoteEntry | EntryFault {
  const [head = '', body = '', ...rest] = bytes.toString('utf8').split('\n');
  if (rest.length !== 1 || rest[0] !== '') return 'damaged';
  try {
    const { signature } = headSchema.parse(JSON.parse(head));
    if (!trust.accepts(signedText(key, body), signature)) return 'untrusted';
    const parsed = bodySchema.parse(JSON.parse(body));
    const record = parsed.key === key ? decodeRecord(parsed.record, key) : undefined;
    if (record === undefined) return 'damaged';
    return { record, blobs: blobsIn(parsed.blobs, record) };
  } catch {
    return 'damaged';
  }
}

/** What is signed names the key: an entry is no good under another. */
function signedText(key: string, body: string): Buffer {
  return Buffer.from(`ssi-images remote cache entry\n${key}\n${body}`);
}

/** Those that the record has, and whose length is what it says. */
function blobsIn(listed: z.infer<typeof bodySchema>['blobs'], record: StageRecord): Map<string, RemoteBlob> {
  const sizes = new Map(Object.values(record.artifacts).map(({ sha256, size }) => [sha256, size]));
  const blobs = new Map<string, RemoteBlob>();
  for (const sha256 of blobsOf(record)) {
    const blob = Object.hasOwn(listed, sha256) ? listed[sha256] : undefined;
    if (blob === undefined || (sizes.get(sha256) ?? blob.size) !== blob.size) continue;
    const { size, layout } = blob;
    if (typeof layout !== 'string' && sizeOfLayout(layout) !== size) continue;
    blobs.set(sha256, { size, isPrivate: blob.private === true, layout });
  }
  return blobs;
}
