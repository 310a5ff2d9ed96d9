import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Replaces calls of `node:fs` everywhere while `work` runs: so a test comes between two steps of the code, as another
 * process might.
 */
export async function withPatchedFs<T>(patches: Partial<typeof fs>, work: () => T | Promise<T>): Promise<T> {
  const originals = Object.fromEntries(
    Object.keys(patches).map((name) => [name, fs[name as keyof typeof fs]]),
  );
  Object.assign(fs, patches);
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, originals);
    syncBuiltinESMExports();
  }
}
