import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { FileSource } from '../../../images/bytes/byte-source.js';
import type { Pace } from '../../../images/bytes/pace.js';
import { SparseStream } from '../../../images/bytes/sparse-stream.js';
import { sha256 } from '../canonical-json.js';
import { workAhead } from './ahead.js';
import { type Piece, piecesOf } from './chunks.js';
import { type Layout, lengthOf, type Part, sizeOfLayout } from './layout.js';
import type { StoreLink } from './store-link.js';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Chunks on their way at once. */
const AHEAD = 8;

const zeros = Buffer.alloc(1024 * 1024);

export interface Sending {
  readonly link: StoreLink;
  readonly pace: Pace;
  /** The beginning of the layout, as far as it is known from before: those chunks need not be compressed again. */
  readonly known: Layout;
  /** Send also what is there: it is no good. */
  readonly overwrite: boolean;
  /** Told now and then how far it is: what is known then need not be done again. */
  readonly onProgress: (layout: Layout) => void;
}

/**
 * Sends a file in chunks; those that are there already stay. Returns its layout, or undefined when the store does not
 * take it. Throws a DiagnosticError when the file can't be read.
 */
export async function sendBlob(path: string, sending: Sending): Promise<Layout | undefined> {
  const { link, pace, overwrite } = sending;
  const source = new FileSource(path);
  try {
    const known = sizeOfLayout(sending.known) <= source.size ? sending.known : [];
    const layout: Part[] = [];
    const start = sizeOfLayout(known);
    const knownOffsets = offsetsOf(known);
    const prefix = workAhead(known, AHEAD, async (part) => {
      if (typeof part === 'number' || (!overwrite && (await link.has('cas', part[0])))) return part;
      const raw = Buffer.alloc(part[1]);
      source.readInto(raw, knownOffsets.get(part) ?? 0);
      return sendPiece({ kind: 'data', bytes: raw }, link, overwrite);
    });
    const rest = workAhead(piecesOf(source, start, pace), AHEAD, (piece) =>
      sendPiece(piece, link, overwrite),
    );
    for (const parts of [prefix, rest])
      for await (const part of parts) {
        if (part === undefined || !link.canWrite) return undefined;
        layout.push(part);
        if (layout.length % 64 === 0 && layout.length > known.length) sending.onProgress(layout);
      }
    sending.onProgress(layout);
    return layout;
  } finally {
    source.close();
  }
}

function offsetsOf(layout: Layout): Map<Part, number> {
  const offsets = new Map<Part, number>();
  let offset = 0;
  for (const part of layout) {
    offsets.set(part, offset);
    offset += lengthOf(part);
  }
  return offsets;
}

async function sendPiece(piece: Piece, link: StoreLink, overwrite: boolean): Promise<Part | undefined> {
  if (piece.kind === 'hole') return piece.length;
  const bytes = await compress(piece.bytes);
  const digest = sha256(bytes);
  const isThere = (!overwrite && (await link.has('cas', digest))) || (await link.put('cas', digest, bytes));
  return isThere ? [digest, piece.bytes.length] : undefined;
}

/**
 * Gets a blob into a new file at `path` and returns its digest; undefined, with no file, when it is not to be had. Throws
 * a DiagnosticError when the file can't be written.
 */
export async function fetchBlob(
  layout: Layout,
  path: string,
  mode: number,
  link: StoreLink,
  pace: Pace,
): Promise<string | undefined> {
  const stream = new SparseStream(path, path, mode);
  const hash = createHash('sha256');
  let isWhole = false;
  try {
    const parts = workAhead(layout, AHEAD, async (part) =>
      typeof part === 'number' ? part : await fetchChunk(part, link),
    );
    for await (const part of parts) {
      if (part === undefined) return undefined;
      // A layout may claim a hole of any length.
      for (const bytes of typeof part === 'number' ? zerosOf(part) : [part]) {
        if (!link.canRead) return undefined;
        hash.update(bytes);
        stream.append(bytes);
        if (pace.due()) await pace.breathe();
      }
    }
    stream.close();
    isWhole = true;
    return hash.digest('hex');
  } finally {
    stream.abandon();
    if (!isWhole) rmSync(path, { force: true });
  }
}

async function fetchChunk(
  [digest, length]: readonly [string, number],
  link: StoreLink,
): Promise<Buffer | undefined> {
  const bytes = await link.getBytes(digest);
  if (bytes === undefined) return undefined;
  try {
    const raw = await decompress(bytes, { maxOutputLength: length });
    return raw.length === length ? raw : undefined;
  } catch {
    // It has its digest, so whoever made it made it wrong.
    return undefined;
  }
}

function* zerosOf(length: number): Generator<Buffer> {
  for (let rest = length; rest > 0; rest -= zeros.length)
    yield zeros.subarray(0, Math.min(rest, zeros.length));
}
