import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const path = z.string().startsWith('/');
const octal = z
  .string()
  .regex(/^[0-7]{4}$/)
  .transform((text) => Number.parseInt(text, 8));
const id = z.int().min(0);
const attributes = { mode: octal.optional(), uid: id.default(0), gid: id.default(0) };
const withAttributes = <S extends z.ZodRawShape>(shape: S) => z.strictObject({ ...attributes, ...shape });
const byPath = <T extends z.ZodType>(value: T) => z.record(path, value).default({});
const plain = withAttributes({});

/** The keys of `tree.yaml`; what each is for stands there. */
const schema = z.strictObject({
  image: z.strictObject({
    mebibytes: z.int().min(1),
    blockSize: z.literal([1024, 2048, 4096]),
    label: z.string(),
    /** Seconds since 1970: nothing in the image is younger. */
    epoch: z.int().min(0),
  }),
  directories: byPath(plain),
  attributes: byPath(plain),
  texts: byPath(withAttributes({ content: z.string() })),
  programs: byPath(plain),
  services: z.array(
    z.strictObject({
      name: z.string(),
      /** Digits of the runlevels that it runs in. */
      levels: z.string().regex(/^[0-6]+$/),
      /** Its place among the services that are started, and among those that are stopped. */
      start: z.int().min(0).max(99),
      stop: z.int().min(0).max(99),
      summary: z.string(),
    }),
  ),
  symlinks: byPath(z.string()),
  links: byPath(path),
  devices: z.array(
    withAttributes({
      path,
      type: z.enum(['character', 'block']),
      major: id,
      minor: id,
      /** Where the path has "#": how many there are, and the first number. */
      count: z.int().min(1).default(1),
      first: id.default(0),
    }),
  ),
  fifos: byPath(plain),
  sockets: byPath(plain),
  modules: z.strictObject({ version: z.string(), needs: z.record(z.string(), z.array(z.string())) }),
  crowds: z.array(withAttributes({ path, count: z.int().min(1), content: z.string() })),
  logs: byPath(withAttributes({ lines: z.int().min(1) })),
  sparse: byPath(
    withAttributes({ size: z.int().min(0), data: z.array(z.strictObject({ offset: id, text: z.string() })) }),
  ),
});

/** What the sample's base image holds. */
export type Description = z.infer<typeof schema>;
/** Mode (without it the usual one), owner and group. */
export type Ownership = z.infer<typeof plain>;

/** Reads `tree.yaml` of a folder. Throws when it is not of this form: it is part of the project, not of any input. */
export function readDescription(folder: string): Description {
  return schema.parse(parse(readFileSync(join(folder, 'tree.yaml'), 'utf8')));
}
