import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readableHostError } from '../../images/bytes/host-error.js';

const PIECE_BYTES = 64 * 1024;
const POLL_MILLISECONDS = 150;

/**
 * Reads a log (BoundedLog) from its beginning; with `follow` also what is added, and on when the log begins anew, until
 * the signal ends it.
 */
export async function followLog(
  path: string,
  options: {
    readonly follow: boolean;
    readonly signal: AbortSignal;
    readonly onBytes: (bytes: Buffer) => Promise<void>;
  },
): Promise<void> {
  const { follow, signal, onBytes } = options;
  let descriptor = open(path);
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  try {
    while (!signal.aborted) {
      const count = readSync(descriptor, buffer);
      if (count > 0) {
        await onBytes(Buffer.from(buffer.subarray(0, count)));
        continue;
      }
      if (!follow) return;
      if (isAnother(path, descriptor)) {
        closeSync(descriptor);
        descriptor = open(path);
        continue;
      }
      await sleep(POLL_MILLISECONDS, undefined, { signal }).catch(() => {});
    }
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

function isAnother(path: string, descriptor: number): boolean {
  return (
    statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(descriptor).ino &&
    statSync(path, { throwIfNoEntry: false }) !== undefined
  );
}
