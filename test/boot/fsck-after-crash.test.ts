import { expect, test } from 'vitest';
import { account } from '../support/fsck-after-crash.js';

const SOUND = ['Initializing fsck', 'Starting pass1', 'pass1 completed in 0.078s', 'fsck.gfs2 complete'];
/** What fsck.gfs2 3.5.1 said of a root of which a node died as it made a file. */
const LOST = [
  'Found invalid inode at block 99342 (0x1840e)',
  "Block 99342 (0x1840e) was 'inode', should be free.",
  'The bitmap inconsistency was ignored.',
  'Block 99342 (0x1840e) bitmap says 3 (inode) but FSCK saw 0 (free)',
  'Bitmap at block 99342 (0x1840e) left inconsistent',
  'RG #70177 (0x11221) free count inconsistent: is 26732 should be 26733',
  'RG #70177 (0x11221) Inode count inconsistent: is 14086 should be 14085',
  'Resource group counts left inconsistent',
];
function statfs(now: readonly number[], calculated: readonly number[]): string[] {
  const numbers = (values: readonly number[]): string[] =>
    ['blocks: ', 'free:   ', 'dinodes:'].map(
      (name, index) => `${name} ${values[index]} (0x${values[index]?.toString(16)})`,
    );
  return [
    'The statfs file is wrong:',
    '',
    'Current statfs values:',
    ...numbers(now),
    '',
    'Calculated statfs values:',
    ...numbers(calculated),
    'The statfs file was not fixed.',
  ];
}
const OFF_BY_ONE = statfs([262104, 144559, 27451], [262104, 144560, 27450]);

function faultsOf(lines: readonly string[], status: number): readonly string[] {
  return account(lines.join('\n'), status).faults;
}

test('a sound filesystem, and one that lost a block, are explained', () => {
  expect(account(SOUND.join('\n'), 0)).toEqual({ faults: [], lostBlocks: [] });
  expect(account([...LOST, ...OFF_BY_ONE, ...SOUND].join('\n'), 4)).toEqual({
    faults: [],
    lostBlocks: [99342],
  });
});

test('everything else is a fault', () => {
  expect(faultsOf(SOUND, 4)).not.toEqual([]);
  // A sum that is off without a lost block, or by another number.
  expect(faultsOf([...OFF_BY_ONE, ...SOUND], 4)).not.toEqual([]);
  const offByTwo = statfs([262104, 144558, 27451], [262104, 144560, 27450]);
  expect(faultsOf([...LOST, ...offByTwo, ...SOUND], 4)).not.toEqual([]);
  // Counts of a group that are off by more, or a block that was not lost.
  const counts = LOST.map((line) => line.replace('should be 26733', 'should be 26734'));
  expect(faultsOf([...counts, ...OFF_BY_ONE], 4)).not.toEqual([]);
  expect(faultsOf([...LOST, ...OFF_BY_ONE, "Block 5 (0x5) was 'inode', should be free."], 4)).not.toEqual([]);
  // A name that leads nowhere.
  const dangling = 'Directory entry to invalid inode';
  expect(faultsOf([...LOST, ...OFF_BY_ONE, dangling], 4)).toEqual([dangling]);
});
