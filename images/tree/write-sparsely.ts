import { writeSync } from 'node:fs';
import { isZero } from '../bytes/zeros.js';

/** The unit of holes: what every filesystem in use allocates by. */
const HOLE_BYTES = 4096;

/** Writes the parts of `bytes` that are not zero; the file was given its length before. */
export function writeSparsely(descriptor: number, bytes: Uint8Array, offset: number): void {
  let position = 0;
  while (position < bytes.length) {
    let end = position;
    let data = false;
    // A run of data, or of zeros.
    do {
      const next = Math.min(bytes.length, end + HOLE_BYTES - ((offset + end) % HOLE_BYTES));
      const isData = !isZero(bytes.subarray(end, next));
      if (end > position && isData !== data) break;
      data = isData;
      end = next;
    } while (end < bytes.length);
    for (let done = position; data && done < end; ) {
      done += writeSync(descriptor, bytes, done, end - done, offset + done);
    }
    position = end;
  }
}
