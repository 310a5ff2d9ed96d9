import { spawnSync } from 'node:child_process';

/** What fsck.gfs2 -n says of a filesystem without faults. */
const PROGRESS = [
  /^$/,
  /^Initializing fsck$/,
  /^Validating resource group index\.$/,
  /^Level \d resource group check: Checking if all rgrp and rindex values are good\.$/,
  /^\(level \d passed\)$/,
  /^Starting (pass\w+|check_statfs)$/,
  /^(pass\w+|check_statfs|reconcile_bitmaps) completed in [\d.hms]+$/,
  /^Reconciling bitmaps\.$/,
  /^\d+ percent complete\.$/,
  /^fsck\.gfs2 complete$/,
];

/**
 * What a crash explains: the sum of free blocks and inodes that df shows. Each node counts in a file of its own and adds
 * that to the sum at times; after a node has crashed and come back the sum can be off. Without a crash it is not
 * (`--calm`), and nothing but df depends on it.
 */
const EXPLAINED = [
  /^The statfs file is wrong:$/,
  /^Current statfs values:$/,
  /^Calculated statfs values:$/,
  /^blocks: +\d+ \(0x[0-9a-f]+\)$/,
  /^free: +\d+ \(0x[0-9a-f]+\)$/,
  /^dinodes: +\d+ \(0x[0-9a-f]+\)$/,
  /^The statfs file was not fixed\.$/,
];

/** Exit status for faults that were left as they were, as -n has it. */
const FAULTS_LEFT = 4;

/**
 * Runs fsck.gfs2 -n over an image that nodes have written, of which some crashed. Every line that it says is either what it
 * always says, or explained by a crash, or a fault.
 */
export function checkAfterCrash(image: string): { faults: string[]; explained: string[] } {
  const { stdout, stderr, status } = spawnSync('fsck.gfs2', ['-n', image], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  const lines = `${stdout}${stderr}`.split(/[\n\r]/).map((line) => line.trim());
  const matches = (patterns: readonly RegExp[], line: string): boolean =>
    patterns.some((pattern) => pattern.test(line));
  const explained = lines.filter((line) => matches(EXPLAINED, line));
  const faults = lines.filter((line) => !matches([...PROGRESS, ...EXPLAINED], line));
  const isExpected = status === 0 || (status === FAULTS_LEFT && explained.length > 0);
  return { faults: isExpected ? faults : [...faults, `exit status ${status}`], explained };
}
