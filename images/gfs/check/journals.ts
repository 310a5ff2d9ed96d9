import { readBytes } from '../../bytes/byte-source.js';
import { isZero } from '../../bytes/zeros.js';
import { LOG_HEADER_BYTES, LOG_HEADER_COPY_OFFSET, SECTOR_BYTES } from '../constants.js';
import { decodeLogHeader, type JournalIndexRecord, LOG_HEADER_CLEAN, type LogHeader } from '../journal.js';
import { faultOfHeader } from '../metadata-header.js';
import type { CheckContext } from './context.js';

/** Checks the log headers of all journals (§6): no external tool does. */
export async function checkJournals(context: CheckContext): Promise<void> {
  for (const [index, journal] of context.journals.entries()) await checkJournal(context, index, journal);
}

async function checkJournal(
  context: CheckContext,
  index: number,
  journal: JournalIndexRecord,
): Promise<void> {
  const { image, faults, pace } = context;
  const { segmentBlocks } = image.superblock;
  const found: { block: number; header: LogHeader }[] = [];
  for (let segment = 0; segment < journal.segments && !faults.truncated; segment++) {
    if (pace.due()) await pace.breathe();
    const block = journal.address + segment * segmentBlocks;
    const header = readLogHeader(context, block, `journal ${index}, segment ${segment}`);
    if (header !== undefined) found.push({ block, header });
  }
  // A missing header is a fault of its own: the run is judged only when all are there.
  if (found.length === journal.segments) checkSequences(context, index, found);
}

function readLogHeader({ image, faults }: CheckContext, block: number, where: string): LogHeader | undefined {
  const bytes = readBytes(image.device, block * image.geometry.blockSize, SECTOR_BYTES);
  const fault = faultOfHeader(bytes, 'logHeader');
  if (fault !== undefined) {
    faults.add('journal-header', block, `${where}: ${fault}`);
    return undefined;
  }
  const first = bytes.subarray(0, LOG_HEADER_BYTES);
  const second = bytes.subarray(LOG_HEADER_COPY_OFFSET, LOG_HEADER_COPY_OFFSET + LOG_HEADER_BYTES);
  if (!first.equals(second))
    faults.add('journal-copies', block, `${where}: the copies of the log header differ`);
  if (!isZero(first.subarray(64)) || first.readUInt32BE(28) !== 0) {
    faults.add('reserved-not-zero', block, `${where}: a reserved field of the log header is not zero`);
  }
  return decodeLogHeader(bytes);
}

function checkSequences(
  context: CheckContext,
  index: number,
  found: readonly { block: number; header: LogHeader }[],
): void {
  const { faults } = context;
  let head = 0;
  let drops = 0;
  for (const [position, { block, header }] of found.entries()) {
    if (header.sequence > found[head]!.header.sequence) head = position;
    const next = found[(position + 1) % found.length]!;
    if (found.length > 1 && next.header.sequence === header.sequence) {
      faults.add(
        'journal-sequence',
        next.block,
        `journal ${index}: sequence ${header.sequence} stands at block ${block} too`,
      );
    }
    if (next.header.sequence < header.sequence) {
      drops += 1;
      if (drops === 2)
        faults.add(
          'journal-sequence',
          next.block,
          `journal ${index}: the sequence falls a second time, from ${header.sequence} to ${next.header.sequence}`,
        );
    }
  }
  const { block, header } = found[head]!;
  if ((header.flags & LOG_HEADER_CLEAN) === 0) {
    faults.add(
      'journal-dirty',
      block,
      `journal ${index}: its head was not unmounted cleanly and waits to be replayed`,
    );
  }
  for (const { block: at, header: each } of found) {
    // A header that ends a transaction names the transaction's first block; one that stands alone names itself.
    const clean = (each.flags & LOG_HEADER_CLEAN) !== 0;
    if (clean && each.first !== at)
      faults.add(
        'journal-header',
        at,
        `journal ${index}: a header that stands alone names block ${each.first} as its first`,
      );
  }
}
