import { z } from 'zod';
import type { Made } from './made.js';

const path = z.string().startsWith('/');
const number = z.string().regex(/^\d+:\d+$/);
const file = z.strictObject({ path, device: number, inode: z.string().regex(/^\d+$/) });
const made = z.union([
  z.strictObject({ kind: z.literal('folder'), path }),
  z.strictObject({ kind: z.literal('loop'), image: file, device: path.optional() }),
  z.strictObject({
    kind: z.literal('mount'),
    target: path,
    of: z.union([z.strictObject({ image: file }), z.strictObject({ number })]),
  }),
  z.strictObject({ kind: z.literal('pools'), names: z.array(z.string()), images: z.array(file) }),
]);

/** Whether something that was read has the shape of what was made: a journal may be damaged. */
export function isMade(value: unknown): value is Made {
  return made.safeParse(value).success;
}
