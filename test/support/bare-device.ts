import { closeSync, openSync, readSync } from 'node:fs';
import { run } from './tools.js';

/** Bytes at the start of a pool device that belong to its label. */
const LABEL_BYTES = 8192;

/** The first eight bytes of a pool label. */
const LABEL_MAGIC = '0000000000011670';

/**
 * The image itself when it is a bare filesystem; when it starts with a pool label, a sparse copy at `copy` of what
 * lies behind that: outside tools know nothing of pools.
 */
export function bareDevice(image: string, copy: string): string {
  const start = Buffer.alloc(8);
  const descriptor = openSync(image, 'r');
  try {
    readSync(descriptor, start, 0, start.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (start.toString('hex') !== LABEL_MAGIC) return image;
  run('dd', [
    `if=${image}`,
    `of=${copy}`,
    `skip=${LABEL_BYTES}`,
    'iflag=skip_bytes',
    'bs=1M',
    'conv=sparse',
    'status=none',
  ]);
  return copy;
}
