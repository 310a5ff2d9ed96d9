import { formatBytes } from './output.js';

/**
 * One line on a terminal that says how far a long copy is; nothing where standard error is no terminal. Call the
 * result with the bytes done so far, and `done()` at the end.
 */
export function byteProgress(label: string): { update: (bytes: number) => void; done: () => void } {
  if (!process.stderr.isTTY) return { update: () => {}, done: () => {} };
  const start = performance.now();
  return {
    update: (bytes) => {
      const seconds = (performance.now() - start) / 1000;
      const rate = seconds > 0.2 ? `, ${formatBytes(bytes / seconds)}/s` : '';
      process.stderr.write(`\r\x1b[K${label}: ${formatBytes(bytes)}${rate}`);
    },
    done: () => process.stderr.write('\r\x1b[K'),
  };
}
