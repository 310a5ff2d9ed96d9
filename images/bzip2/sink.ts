/** Takes decoded data, piece by piece, in order. */
export interface Bzip2Sink {
  /** The next bytes, valid until it returns. */
  write(bytes: Uint8Array): void;
  /** The next bytes are so many zeros. */
  zeros(count: number): void;
}

const piece = new Uint8Array(256 * 1024);

/** Gives zeros to who takes nothing but bytes. */
export function writeZeros(write: (bytes: Uint8Array) => void, count: number): void {
  for (let done = 0; done < count; done += piece.length)
    write(count - done < piece.length ? piece.subarray(0, count - done) : piece);
}
