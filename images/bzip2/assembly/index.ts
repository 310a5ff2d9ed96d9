/*
 * Decodes a block of bzip2 data. AssemblyScript, compiled to WebAssembly: as JavaScript it took twice the time.
 * ../block-decoder.ts is what calls it.
 */
import { prepareChecksums } from './crc';
import {
  beginRuns,
  expand,
  isDone,
  isUnfinished,
  isZeroOutput,
  OUTPUT_BYTES,
  output,
  outputChecksum,
} from './expander';
import { Fault, fault, faultBit, faultNumber } from './fault';
import { checksum, origin, randomised, readHeader } from './header';
import { prepareMoves } from './move-to-front';
import { text, undoRotations } from './rotations';
import { findPair, pairs } from './scanner';
import { columnBytes, readSymbols, symbolsEnd } from './symbols';
import { openWindow, PADDING_BYTES, WINDOW_BYTES, window } from './window';

export {
  beginRuns,
  checksum,
  columnBytes,
  expand,
  faultBit,
  faultNumber,
  findPair,
  isDone,
  isUnfinished,
  isZeroOutput,
  OUTPUT_BYTES,
  openWindow,
  output,
  outputChecksum,
  PADDING_BYTES,
  pairs,
  randomised,
  symbolsEnd,
  text,
  WINDOW_BYTES,
  window,
};

prepareMoves();
prepareChecksums();

/** Decodes the block at a bit of the window, up to its text with runs still short. */
export function readBlock(bit: u32): Fault {
  const kind = readHeader(bit);
  return kind === Fault.None ? readSymbols() : kind;
}

/** Undoes the rotations; where there are none, or the row of the text is none of them, that is a fault. */
export function unrotate(bit: u32): Fault {
  if (origin >= columnBytes) return fault(Fault.OriginOutside, bit);
  undoRotations(origin);
  beginRuns(columnBytes);
  return Fault.None;
}
