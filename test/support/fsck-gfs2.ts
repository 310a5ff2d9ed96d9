import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSource, readBytes } from '../../images/bytes/byte-source.js';
import { bareDevice } from './bare-device.js';
import { tool } from './tools.js';

/** What `judgeOpenGfs` needs on the host, for `testWith`. */
export const FSCK_TOOLS: readonly string[] = ['fsck.gfs2', 'dd'];

const FSCK_MILLISECONDS = 600_000;

/** Exit status of fsck.gfs2 when faults stay. */
const FAULTS_LEFT = 4;

/** What fsck.gfs2 3.5.0 prints whatever it finds. */
const progress: readonly RegExp[] = [
  /^Initializing fsck$/,
  /^Validating resource group index\.$/,
  /^Level 1 resource group check: Checking if all rgrp and rindex values are good\.$/,
  /^\(level 1 passed\)$/,
  /^Clearing GFS journals \(this may take a while\)$/,
  /^\.+$/,
  /^Journals cleared\.$/,
  /^Journal recovery complete\.$/,
  /^Starting \w+$/,
  /^Reconciling bitmaps\.$/,
  /^\w+ completed in [\d.hms]+$/,
  /^\d+ percent complete\. *$/,
  /^fsck\.gfs2 complete$/,
];

export interface FsckRun {
  /** Exit status, or the name of the signal that ended it. */
  readonly status: number | string;
  readonly output: string;
  /** The lines that are more than progress. */
  readonly reports: readonly string[];
}

/** Runs fsck.gfs2 with `-n` (changes nothing) or `-y` (repairs; never use it on GFS1, which it damages). */
export function fsckGfs2(image: string, mode: '-n' | '-y'): FsckRun {
  const { status, signal, stdout, error } = spawnSync(
    '/bin/sh',
    ['-c', 'exec "$0" "$@" 2>&1', tool('fsck.gfs2'), mode, image],
    {
      encoding: 'latin1',
      env: { ...process.env, LC_ALL: 'C' },
      maxBuffer: 256 * 1024 * 1024,
      timeout: FSCK_MILLISECONDS,
      killSignal: 'SIGKILL',
    },
  );
  if (error !== undefined && signal === null) throw error;
  const lines = stdout.split(/[\r\n]+/).filter((line) => line !== '');
  const reports = lines.filter((line) => !progress.some((pattern) => pattern.test(line)));
  return { status: status ?? signal ?? 'unknown', output: stdout, reports };
}

export interface Verdict {
  /** fsck.gfs2 got to its end and said nothing but the two things it says of every OpenGFS image. */
  readonly accepted: boolean;
  /** What it said besides those, and what is missing of them. */
  readonly unexpected: readonly string[];
  /** All that it printed. */
  readonly output: string;
}

/**
 * Lets fsck.gfs2 3.5.0 judge an OpenGFS image, bare or behind a pool label. It exits with 4 on every GFS1
 * filesystem, as it (a) takes each resource group's count of dinodes for 0 and (b) reads the root dinode as one of
 * GFS2, not as a directory. Just these reports are left out, and only with the numbers that the image itself has.
 */
export function judgeOpenGfs(image: string): Verdict {
  const scratch = mkdtempSync(join(tmpdir(), 'ssi-fsck-'));
  try {
    const device = bareDevice(image, join(scratch, 'device'));
    const { status, output, reports } = fsckGfs2(device, '-n');
    const unexpected = withoutFalseReports(reports, device);
    if (status !== FAULTS_LEFT) unexpected.push(`fsck.gfs2 ended with ${status}, not with ${FAULTS_LEFT}`);
    if (!/^fsck\.gfs2 complete$/m.test(output)) unexpected.push('fsck.gfs2 did not get to its end');
    return { accepted: unexpected.length === 0, unexpected, output };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function withoutFalseReports(reports: readonly string[], device: string): string[] {
  const source = new FileSource(device);
  try {
    const number = (offset: number, length: 4 | 8) =>
      Number.parseInt(readBytes(source, offset, length).toString('hex'), 16);
    const blockSize = number(SUPERBLOCK + 36, 4);
    const root = number(SUPERBLOCK + 88, 8);
    const rootLinks = number(root * blockSize + 52, 4);
    const hexadecimal = `${root} (0x${root.toString(16)})`;
    const ofRoot = [
      `Found unlinked inode at ${hexadecimal}`,
      'Unlinked inode left unlinked',
      `Link count inconsistent for inode ${hexadecimal} has 0 but fsck found ${rootLinks}.`,
      `Link count for inode ${hexadecimal} still incorrect`,
    ];
    const groups = new Set<number>();
    const unexpected: string[] = [];
    for (let index = 0; index < reports.length; index++) {
      const report = reports[index] ?? '';
      const match = /^RG #(\d+) \(0x[0-9a-f]+\) Inode count inconsistent: is 0 should be (\d+)$/.exec(report);
      const group = Number(match?.[1]);
      if (match !== null && !groups.has(group) && number(group * blockSize + 32, 4) === Number(match[2])) {
        groups.add(group);
        if (reports[index + 1] === 'Resource group counts left inconsistent') index += 1;
      } else if (report === ofRoot[0]) {
        ofRoot.shift();
      } else {
        unexpected.push(report);
      }
    }
    if (ofRoot.length > 0) unexpected.push(`missing, though GFS1 always gets it: ${ofRoot.join('; ')}`);
    return unexpected;
  } catch (cause) {
    return [...reports, `the image can't be read: ${cause instanceof Error ? cause.message : String(cause)}`];
  } finally {
    source.close();
  }
}

/** Byte offset of the superblock. */
const SUPERBLOCK = 65536;
