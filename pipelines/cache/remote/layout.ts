import { z } from 'zod';
import { CHUNK_BYTES_MAX } from './chunks.js';
import { OBJECT_BYTES_MAX } from './object-store.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** A chunk: the digest of its object, which is gzip, and the length of its bytes; or the length of a hole. */
const partSchema = z.union([
  z.tuple([digest, z.int().min(1).max(CHUNK_BYTES_MAX)]),
  z.int().min(1).max(Number.MAX_SAFE_INTEGER),
]);

export type Part = readonly [sha256: string, length: number] | number;

export const partsSchema = z.array(partSchema);

/** Parts that an entry names itself; more lie in an object of their own. */
export const OWN_PARTS_MAX = 16;

/** How the bytes of a blob are put together from objects. */
export type Layout = readonly Part[];

/** Length of what a layout makes. */
export function sizeOfLayout(layout: Layout): number {
  return layout.reduce<number>((sum, part) => sum + lengthOf(part), 0);
}

export function lengthOf(part: Part): number {
  return typeof part === 'number' ? part : part[1];
}

export function encodeLayout(layout: Layout): Buffer {
  return Buffer.from(`${JSON.stringify(layout)}\n`);
}

/** Undefined when it is none, or not one of `size` bytes. */
export function decodeLayout(bytes: Buffer, size: number): Layout | undefined {
  if (bytes.length > OBJECT_BYTES_MAX) return undefined;
  try {
    const layout = partsSchema.parse(JSON.parse(bytes.toString('utf8')));
    return sizeOfLayout(layout) === size ? layout : undefined;
  } catch {
    return undefined;
  }
}
