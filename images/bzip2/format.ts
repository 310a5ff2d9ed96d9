/**
 * Numbers of the bzip2 format, as the reference program (bzip2 1.0.8) reads and writes it; there is no other
 * specification. A file is one stream after the other, each from a byte boundary: "BZh" and the level '1' to '9',
 * blocks, then the end mark with the stream's checksum. Inside a stream nothing is aligned: places are counted in
 * bits, from the top bit of a byte down. What is inside of a block is a matter of assembly/.
 */

/** First bytes of a stream; the level follows. */
export const STREAM_MAGIC: readonly number[] = [0x42, 0x5a, 0x68];

/** Bytes of a stream's header: the magic and the level. */
export const STREAM_HEADER_BYTES = 4;

/** The 48 bits that a block begins with: pi. */
export const BLOCK_MAGIC = 0x314159265359;

/** The 48 bits before the checksum that ends a stream: the square root of pi. */
export const END_MAGIC = 0x177245385090;

export const MAGIC_BITS = 48;

/** The end mark with the stream's checksum. */
export const END_BITS = MAGIC_BITS + 32;

/** A block holds at most so many bytes for each level. */
export const LEVEL_BYTES = 100_000;
export const MAX_LEVEL = 9;
export const MAX_BLOCK_BYTES = LEVEL_BYTES * MAX_LEVEL;

export const MAX_TABLES = 6;
export const MAX_CODE_BITS = 20;

/** Two for runs, one for each place but the first of the list of bytes, one for the end of the block. */
export const MAX_ALPHABET = 258;

/**
 * Longest compressed block in bytes: magic, checksum, bit and origin, the map of used bytes, selectors of at most
 * 6 bits (their number has 15), the tables, and as many codes as bytes fit, one more for the end.
 */
export const MAX_COMPRESSED_BYTES = Math.ceil(
  (MAGIC_BITS +
    32 +
    1 +
    24 +
    16 +
    256 +
    18 +
    0x7fff * MAX_TABLES +
    MAX_TABLES * (5 + MAX_ALPHABET * 2 * MAX_CODE_BITS) +
    (MAX_BLOCK_BYTES + 1) * MAX_CODE_BITS) /
    8,
);

/**
 * What a compressed block or stream has wrong. `bit` is where, in the bytes that were given.
 * It becomes a DiagnosticError once the chain of blocks has come to it: what looks like a block may be none.
 */
export class Bzip2Fault extends Error {
  constructor(
    message: string,
    readonly bit: number,
    /** Whether the bytes ended before the block did: more of them may help. */
    readonly cut = false,
  ) {
    super(message);
  }
}
