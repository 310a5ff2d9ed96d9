import { type ByteSource, checkRange } from './byte-source.js';

/**
 * Reads in aligned pieces and keeps the latest few: metadata is small, scattered and clustered, so a piece read
 * for one inode usually holds the next ones. Memory is bounded by `pieceSize * pieces` bytes.
 */
export class CachedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  private readonly cache = new Map<number, Buffer>();

  constructor(
    private readonly parent: ByteSource,
    private readonly pieceSize = 64 * 1024,
    private readonly pieces = 128,
  ) {
    this.name = parent.name;
    this.size = parent.size;
  }

  readInto(target: Uint8Array, offset: number): void {
    checkRange(this, offset, target.length);
    if (target.length > this.pieceSize * 2) {
      this.parent.readInto(target, offset);
      return;
    }
    let done = 0;
    while (done < target.length) {
      const position = offset + done;
      const index = Math.floor(position / this.pieceSize);
      const piece = this.piece(index);
      const within = position - index * this.pieceSize;
      const count = Math.min(target.length - done, piece.length - within);
      target.set(piece.subarray(within, within + count), done);
      done += count;
    }
  }

  close(): void {
    this.cache.clear();
    this.parent.close();
  }

  private piece(index: number): Buffer {
    const known = this.cache.get(index);
    if (known !== undefined) {
      this.cache.delete(index);
      this.cache.set(index, known);
      return known;
    }
    const start = index * this.pieceSize;
    let piece: Buffer;
    if (this.cache.size >= this.pieces) {
      const [oldest, buffer] = this.cache.entries().next().value!;
      this.cache.delete(oldest);
      piece = buffer.length === this.pieceSize ? buffer : Buffer.allocUnsafe(this.pieceSize);
    } else {
      piece = Buffer.allocUnsafe(this.pieceSize);
    }
    piece = piece.subarray(0, Math.min(this.pieceSize, this.size - start));
    this.parent.readInto(piece, start);
    this.cache.set(index, piece);
    return piece;
  }
}
