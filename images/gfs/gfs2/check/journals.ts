import { extentsOfFile } from '../../block-tree-reader.js';
import { findJournalHead, LOG_HEADER_UNMOUNT } from '../journal.js';
import type { Gfs2CheckContext } from './context.js';

/** Fewest blocks of a journal: a header, and something to say. */
const JOURNAL_BLOCKS_MIN = 2;

/** Checks that all journals are whole and wait for nothing (docs/gfs2-format.md §8). */
export async function checkGfs2Journals(
  context: Gfs2CheckContext,
  journals: readonly number[],
): Promise<void> {
  for (const [number, address] of journals.entries()) await checkJournal(context, number, address);
}

async function checkJournal(context: Gfs2CheckContext, number: number, address: number): Promise<void> {
  const { image, faults, pace } = context;
  const { blockSize } = image.geometry;
  const path = `(master)/jindex/journal${number}`;
  // Where its tree is damaged, a fault says so already.
  const fault = faults.attempt('journal-file', address, () => {
    const { size, height } = image.readDinode(address, path).dinode;
    if (size % blockSize !== 0 || size < JOURNAL_BLOCKS_MIN * blockSize) return `a journal of ${size} bytes`;
    let stored = 0;
    for (const { length } of height === 0
      ? []
      : extentsOfFile(image, { address, size, height, journaled: false }))
      stored += length;
    return stored === size ? '' : `a journal of ${size} bytes that has blocks for ${stored}`;
  });
  if (fault === undefined) return;
  if (fault !== '') {
    faults.add('journal-file', address, fault, path);
    return;
  }
  const head = await findJournalHead(image, address, pace);
  if (head === undefined) faults.add('journal-header', address, 'the journal has no log header', path);
  else if ((head.header.flags & LOG_HEADER_UNMOUNT) === 0) {
    faults.add(
      'journal-dirty',
      head.address,
      'the head of the journal was not unmounted cleanly and waits to be replayed',
      path,
    );
  }
}
