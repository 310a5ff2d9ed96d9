import { readBytes } from '../../bytes/byte-source.js';
import { isZero } from '../../bytes/zeros.js';
import { LOG_HEADER_BYTES, LOG_HEADER_COPY_OFFSET, SECTOR_BYTES } from '../constants.js';
import { decodeLogHeader, type JournalIndexRecord, LOG_HEADER_CLEAN, type LogHeader } from '../journal.js';
import { faultOfHeader } from '../metadata-header.js';
import type { OpenGfsCheckContext } from './opengfs-context.js';

/** Checks the log headers of all journals (§6): no external tool does. */
export async function checkJournals(context: OpenGfsCheckContext): Promise<void> {
  for (const [index, journal] of context.journals.entries()) {
    if (context.faults.truncated) return;
    await checkJournal(context, index, journal);
  }
}

async function checkJournal(
  context: OpenGfsCheckContext,
  index: number,
  journal: JournalIndexRecord,
): Promise<void> {
  const { image, faults, pace } = context;
  const { segmentBlocks } = image.superblock;
  const found: Found[] = [];
  for (let segment = 0; segment < journal.segments && !faults.truncated; segment++) {
    if (pace.due()) await pace.breathe();
    const block = journal.address + segment * segmentBlocks;
    const header = readLogHeader(context, block, `journal ${index}, segment ${segment}`);
    if (header !== undefined) found.push({ block, header });
  }
  // A missing header is a fault of its own: the run is judged only when all are there.
  if (found.length === journal.segments) checkSequences(context, index, journal, found);
}

function readLogHeader(
  { image, faults }: OpenGfsCheckContext,
  block: number,
  where: string,
): LogHeader | undefined {
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

/** A segment's header with its block. */
interface Found {
  readonly block: number;
  readonly header: LogHeader;
}

function checkSequences(
  context: OpenGfsCheckContext,
  index: number,
  journal: JournalIndexRecord,
  found: readonly Found[],
): void {
  const { faults, image } = context;
  const odd = oddOneOut(found.map(({ header }) => header.sequence));
  const wrong = odd === undefined ? undefined : found[odd];
  if (wrong !== undefined) {
    faults.add(
      'journal-sequence',
      wrong.block,
      `journal ${index}: sequence ${wrong.header.sequence} breaks the rising run of the segments`,
    );
  }
  const end = journal.address + journal.segments * image.superblock.segmentBlocks;
  let head = found[0]!;
  for (const each of found) {
    const { block, header } = each;
    if (header.sequence > head.header.sequence) head = each;
    // A header that ends a transaction names the transaction's first block; one that stands alone names itself.
    const isAlone = (header.flags & LOG_HEADER_CLEAN) !== 0;
    const isPlausible = isAlone
      ? header.first === block
      : header.first >= journal.address && header.first < end;
    if (!isPlausible) {
      faults.add(
        'journal-header',
        block,
        `journal ${index}: this header names block ${header.first} as its first`,
      );
    }
  }
  if ((head.header.flags & LOG_HEADER_CLEAN) === 0) {
    faults.add(
      'journal-dirty',
      head.block,
      `journal ${index}: its head was not unmounted cleanly and waits to be replayed`,
    );
  }
}

/**
 * The position in a journal's sequences at which they are no rotated rising run, or undefined. A rising run that is
 * read as a ring does not rise at just one place; where there are more, and one header less would leave one, it is
 * that header.
 */
function oddOneOut(sequences: readonly number[]): number | undefined {
  const { length } = sequences;
  if (length < 2) return undefined;
  const falls: number[] = [];
  for (let position = 0; position < length; position++) {
    if (sequences[position]! >= sequences[(position + 1) % length]!) falls.push(position);
  }
  const [first, second] = falls;
  if (first === undefined || second === undefined) return undefined;
  for (const position of falls.flatMap((fall) => [fall, (fall + 1) % length]).slice(0, CANDIDATES_MAX)) {
    const before = sequences[(position + length - 1) % length]!;
    const after = sequences[(position + 1) % length]!;
    const own = Number(falls.includes(position)) + Number(falls.includes((position + length - 1) % length));
    if (falls.length - own + Number(before >= after) <= 1) return position;
  }
  return (first + 1) % length;
}

/** Two falls have four headers beside them; where there are more, no single header is at fault. */
const CANDIDATES_MAX = 4;
