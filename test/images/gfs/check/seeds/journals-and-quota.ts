import type { Damage } from '../damage.js';
import { DINODE, ofLog, ofSpecial, type SeededFault } from './seed.js';

/** The last row: what no external tool looks at. */
export const journalFaults: readonly SeededFault[] = [
  ofLog(0, 'no header', 'journal-header', (d, block) => d.block(block).fill(0)),
  ofLog(7, 'another block type', 'journal-header', (d, block) => d.setLog(block, 4, 9)),
  ofLog(7, 'one copy differs', 'journal-copies', (d, block) => d.add(block, 384 + 40, 1, 8)),
  ofLog(7, 'no second copy', 'journal-copies', (d, block) => d.block(block).fill(0, 384)),
  ofLog(7, 'another first block', 'journal-header', (d, block) => d.setLog(block, 32, block + 1, 8)),
  ofLog(7, 'a first block outside the journal', 'journal-header', (d, block) => {
    d.setLog(block, 24, 0);
    d.setLog(block, 32, d.segment(1, 0), 8);
  }),
  ofLog(7, 'a sequence too low', 'journal-sequence', (d, block) => d.setLog(block, 40, 2, 8)),
  ofLog(7, 'a sequence too high', 'journal-sequence', (d, block) => d.setLog(block, 40, 9999, 8)),
  ofLog(7, 'the sequence of another', 'journal-sequence', (d, block) => d.setLog(block, 40, 50, 8)),
  {
    name: 'journal: one sequence everywhere',
    rule: 'journal-sequence',
    seed: (d) => {
      for (let segment = 0; segment < d.journal(0).segments; segment++) {
        d.setLog(d.segment(0, segment), 40, 5, 8);
      }
      return d.segment(0, 1);
    },
  },
  {
    name: 'journal: its head is not clean',
    rule: 'journal-dirty',
    seed: (d) => {
      const head = d.segment(1, d.journal(1).segments - 1);
      d.setLog(head, 24, 0);
      return head;
    },
  },
  ofLog(3, 'a reserved field', 'reserved-not-zero', (d, block) => d.setLog(block, 120, 1)),
];

export const quotaFaults: readonly SeededFault[] = [
  ofSpecial('quota', 'half a record', 'quota-file', (d, inode) => d.add(inode, DINODE.size, 1, 8)),
  ofSpecial('quota', 'one record', 'quota-file', (d, inode) => d.set(inode, DINODE.size, 88, 8)),
  ofSpecial('quota', 'another value', 'quota-value', (d, inode) =>
    d.add(firstQuotaBlock(d, inode), 24 + 16, 1, 8),
  ),
  ofSpecial('quota', 'a value for a group that owns nothing', 'quota-value', (d, inode) =>
    // Record 3, group 1: it lies in the same journaled block.
    d.set(firstQuotaBlock(d, inode), 24 + 3 * 88 + 16, 5, 8),
  ),
  ofSpecial('quota', 'no record for an owner', 'quota-value', (d, inode) =>
    d.set(inode, DINODE.size, 4 * 88, 8),
  ),
  ofSpecial('quota', 'a reserved field', 'reserved-not-zero', (d, inode) =>
    d.set(firstQuotaBlock(d, inode), 24 + 80, 1, 8),
  ),
];

/** With owners beyond root the file does not fit behind a dinode of 512 bytes. */
function firstQuotaBlock(damage: Damage, inode: number): number {
  return damage.target(inode, 0);
}
