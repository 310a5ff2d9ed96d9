import { closeSync, copyFileSync, fstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readableHostError } from '../../images/bytes/host-error.js';
import { printable } from '../../images/diagnostic.js';
import { makeFolder } from '../cache/make-folder.js';
import { type ClusterPlaces, consoleLogPath } from '../nodes/places.js';

/** Names of logs in a cluster's folder, and of those that were put aside when they grew too long. */
const LOG = /^(?:node\d{1,3}|lock-server|switch|supervisor)\.log(?:\.1)?$/;
/** What is shown of a console where it explains a failure: lines, and bytes that they are taken from. */
const LAST_LINES = 20;
const TAIL_BYTES_MAX = 64 * 1024;

/** The last of what a node's console has shown, line by line, safe for a terminal; nothing when it never started. */
export function consoleTail(places: ClusterPlaces, node: number): readonly string[] {
  let descriptor: number;
  try {
    descriptor = openSync(consoleLogPath(places, node), 'r');
  } catch {
    return [];
  }
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(0, size - TAIL_BYTES_MAX);
    const bytes = Buffer.alloc(size - start);
    const length = readSync(descriptor, bytes, 0, bytes.length, start);
    const lines = bytes.subarray(0, length).toString('utf8').split('\n');
    // The first one is not whole.
    if (start > 0) lines.shift();
    return lines.map((line) => printable(line.replace(/\r+$/, '')));
  } finally {
    closeSync(descriptor);
  }
}

/** The lines of a tail that go with a failure. */
export function lastLines(tail: readonly string[]): readonly string[] {
  return tail.filter((line) => line.trim() !== '').slice(-LAST_LINES);
}

/** Copies what the consoles have shown, and the logs beside them, to a folder, in place of those of another time. */
export function copyLogs({ logs }: ClusterPlaces, folder: string): void {
  makeFolder(folder);
  try {
    for (const name of readdirSync(folder)) if (LOG.test(name)) rmSync(join(folder, name), { force: true });
    for (const name of readdirSync(logs))
      if (LOG.test(name)) copyFileSync(join(logs, name), join(folder, name));
  } catch (cause) {
    throw readableHostError(cause, folder);
  }
}
