/** What the thread that puts the file together and those that decode blocks tell each other: few, large messages. */

/** Asks for the blocks that may begin at some places. */
export interface Job {
  readonly kind: 'job';
  /** Compressed bytes; the buffer changes hands. */
  readonly buffer: ArrayBuffer;
  /** Places of possible blocks in it, in order. */
  readonly bits: readonly number[];
}

/** Gives back a buffer of a chunk. */
export interface Release {
  readonly kind: 'release';
  readonly buffer: ArrayBuffer;
}

/** How a block ended. */
export interface BlockEnd {
  /** Where the next one should begin. */
  readonly endBit: number;
  /** Bytes before the runs were lengthened, which is what a stream's level limits. */
  readonly length: number;
  /** The block's checksum as the file has it. */
  readonly checksum: number;
  readonly fault?: BlockFault;
}

/** What is wrong with a block. */
export interface BlockFault {
  readonly message: string;
  readonly bit: number;
  /** Whether the bytes that were given ended before the block did; nothing of it has come out then. */
  readonly cut: boolean;
}

/** Some data of a block, one behind the other in a chunk: bytes that lie there, or zeros that lie nowhere. */
export interface Part {
  /** Which of the job's possible blocks. */
  readonly index: number;
  readonly bytes: number;
  readonly zeros: number;
  /** Set with the block's last part. */
  readonly end?: BlockEnd;
}

/** The next data of a worker's jobs, in their order. */
export interface Chunk {
  /** Holds the parts' data; the buffer changes hands until it is released. */
  readonly buffer: ArrayBuffer;
  readonly parts: readonly Part[];
  /** Whether this is the job's last. */
  readonly last: boolean;
}

/** Set up once for each worker. */
export interface WorkerSettings {
  readonly chunkBytes: number;
  /** So many buffers are filled before the first must be released. */
  readonly chunks: number;
}
