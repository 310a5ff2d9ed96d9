import { statSync } from 'node:fs';

/** Bytes that a file takes on the host's disk: less than its size where it has holes. */
export function allocatedBytes(path: string): number {
  return statSync(path).blocks * 512;
}
