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
 * A crash explains a block that is marked as an inode, and is none: a kernel takes the block in one transaction, and makes
 * the inode and its name in the next one. A node that dies in between leaves the block, and no replay knows of it.
 */
const LOST_BLOCK = /^Found invalid inode at block (\d+) \(0x[0-9a-f]+\)$/;
/** What is said of such a block then. */
const OF_A_LOST_BLOCK = [
  /^Block (\d+) \(0x[0-9a-f]+\) was 'inode', should be free\.$/,
  /^Block (\d+) \(0x[0-9a-f]+\) bitmap says 3 \(inode\) but FSCK saw 0 \(free\)$/,
  /^Bitmap at block (\d+) \(0x[0-9a-f]+\) left inconsistent$/,
];
/** And of the counts, which have it too: each is off by the number of such blocks. */
const OF_COUNTS = [
  /^RG #\d+ \(0x[0-9a-f]+\) free count inconsistent: is (\d+) should be (\d+)$/,
  /^RG #\d+ \(0x[0-9a-f]+\) Inode count inconsistent: is (\d+) should be (\d+)$/,
];
const CURRENT = /^(?:blocks|free|dinodes): +(\d+) \(0x[0-9a-f]+\)$/;
const FOLLOWING = [
  /^The bitmap inconsistency was ignored\.$/,
  /^Resource group counts left inconsistent$/,
  /^The statfs file is wrong:$/,
  /^Current statfs values:$/,
  /^Calculated statfs values:$/,
  /^The statfs file was not fixed\.$/,
];

/** Exit status for faults that were left as they were, as -n has it. */
const FAULTS_LEFT = 4;

/** What fsck.gfs2 -n says of an image that nodes have written, of which some crashed. */
export interface CheckAfterCrash {
  /** Lines that nothing explains. */
  readonly faults: readonly string[];
  /** Blocks that a node had taken for an inode as it died. */
  readonly lostBlocks: readonly number[];
}

/** Runs fsck.gfs2 -n. Every line that it says is either what it always says, or explained by a crash, or a fault. */
export function checkAfterCrash(image: string): CheckAfterCrash {
  const { stdout, stderr, status } = spawnSync('fsck.gfs2', ['-n', image], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  return account(`${stdout}${stderr}`, status);
}

/** Accounts for every line that fsck.gfs2 -n printed, and for its exit status. */
export function account(output: string, status: number | null): CheckAfterCrash {
  const lines = output
    .split(/[\n\r]/)
    .map((line) => line.trim())
    .filter((line) => !PROGRESS.some((known) => known.test(line)));
  const lost = new Set(lines.flatMap((line) => numbersOf([LOST_BLOCK], line)));
  const faults = lines.filter((line) => !isExplained(line, lost));
  const counts = lines.map((line) => OF_COUNTS.map((pattern) => numbersOf([pattern], line)));
  for (const [index, what] of ['free blocks', 'inodes'].entries()) {
    const off = counts.reduce((sum, each) => {
      const [is = 0, should = 0] = each[index] ?? [];
      return sum + Math.abs(should - is);
    }, 0);
    if (off !== lost.size)
      faults.push(`${lost.size} lost blocks, and the counts of ${what} are off by ${off}`);
  }
  const statfs = lines.flatMap((line) => numbersOf([CURRENT], line));
  const off = [0, 1, 2].map((index) => (statfs[index + 3] ?? 0) - (statfs[index] ?? 0));
  // df counts them as the groups do.
  if (`${off}` !== `${[0, lost.size, 0 - lost.size]}`)
    faults.push(`${lost.size} lost blocks, and blocks, free blocks and dinodes of df are off by ${off}`);
  if (status !== (lost.size > 0 ? FAULTS_LEFT : 0)) faults.push(`exit status ${status}`);
  return { faults, lostBlocks: [...lost] };
}

function isExplained(line: string, lost: ReadonlySet<number>): boolean {
  if (lost.size === 0) return false;
  if (numbersOf([LOST_BLOCK], line).length > 0) return true;
  const [block] = numbersOf(OF_A_LOST_BLOCK, line);
  if (block !== undefined) return lost.has(block);
  return [...OF_COUNTS, CURRENT, ...FOLLOWING].some((known) => known.test(line));
}

function numbersOf(patterns: readonly RegExp[], line: string): number[] {
  for (const pattern of patterns) {
    const match = pattern.exec(line);
    if (match !== null) return match.slice(1).map(Number);
  }
  return [];
}
