/** What a block can have wrong; ../block-decoder.ts has the words. */
export enum Fault {
  None,
  Cut,
  NoMagic,
  OriginOutside,
  NoByte,
  TableCount,
  NoSelectors,
  SelectorOfNoTable,
  CodeLength,
  LengthsMakeNoCode,
  NoSuchCode,
  RunTooLong,
  TooLong,
  FewSelectors,
}

/** Where the last fault is, in bits of the window. */
export let faultBit: u32 = 0;
/** The number that is wrong, where the fault's words have one. */
export let faultNumber: u32 = 0;

export function fault(kind: Fault, bit: u32, number: u32 = 0): Fault {
  faultBit = bit;
  faultNumber = number;
  return kind;
}
