/** Parts of the decoder of bzip2 blocks, one by one, for parts.test.ts. */
import { CRC_START, crcOf, crcOfZeros, prepareChecksums } from '../../../../images/bzip2/assembly/crc';
import {
  beginRuns,
  expand,
  isDone,
  output,
  outputChecksum,
} from '../../../../images/bzip2/assembly/expander';
import { moveFar, moveNear, prepareMoves, resetList } from '../../../../images/bzip2/assembly/move-to-front';
import { text, undoRotations } from '../../../../images/bzip2/assembly/rotations';
import { closeColumn, counts, runs } from '../../../../images/bzip2/assembly/symbols';

export {
  beginRuns,
  CRC_START,
  counts,
  crcOf,
  crcOfZeros,
  expand,
  isDone,
  output,
  outputChecksum,
  runs,
  text,
  undoRotations,
};

prepareMoves();
prepareChecksums();

/** Where tests put bytes. */
export const input: usize = memory.data(1_000_000, 16);

/** The list's first bytes, which callers of its functions keep. */
const front: usize = memory.data(16, 16);

/** Sets the list to the 256 bytes at `input`. */
export function reset(): void {
  v128.store(front, resetList(input));
}

/** Moves the byte at a place to the front, and returns it. */
export function take(place: u32): u32 {
  const before = v128.load(front);
  v128.store(front, place < 16 ? moveNear(before, place) : moveFar(before, place));
  return load<u8>(front);
}

/** Says how many runs a test has put at `runs`; their counts are at `counts`. */
export function closeRuns(count: u32, bytes: u32): void {
  closeColumn(runs + ((<usize>count) << 2), bytes);
}
