/** Numbers of the bzip2 format inside of a block, as the reference program (bzip2 1.0.8) reads and writes them. */

/** The 48 bits that a block begins with: pi. */
export const BLOCK_MAGIC: u64 = 0x314159265359;
export const MAX_BLOCK_BYTES: u32 = 900_000;

/** So many symbols in a row are coded with the same table. */
export const GROUP_SYMBOLS: u32 = 50;
export const MIN_TABLES: u32 = 2;
export const MAX_TABLES: u32 = 6;

/** As many groups as the largest block can need; a file may name more, which stay unused. */
export const MAX_SELECTORS: u32 = 18_002;
export const MAX_CODE_BITS: u32 = 20;

/** A run is told by its first bytes: after so many equal ones comes the number of further ones, 0 to 255. */
export const RUN_BYTES: u32 = 4;
