import { createHash } from 'node:crypto';
import { FileSource } from './byte-source.js';
import type { Pace } from './pace.js';
import { SparseStream } from './sparse-stream.js';

const PIECE_BYTES = 1024 * 1024;

/**
 * Copies a file to a new one at `destination`, with the permissions of any new file; pieces of zeros become holes.
 * Returns the SHA-256 of what was copied. Throws a DiagnosticError when either can't be done; nothing stays then.
 */
export async function copySparse(
  path: string,
  destination: string,
  pace: Pace,
  onProgress: (bytes: number) => void = () => {},
): Promise<string> {
  const source = new FileSource(path);
  const hash = createHash('sha256');
  let stream: SparseStream | undefined;
  try {
    stream = new SparseStream(destination, destination, 0o666);
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    while (stream.size < source.size) {
      const piece = buffer.subarray(0, Math.min(buffer.length, source.size - stream.size));
      source.readInto(piece, stream.size);
      hash.update(piece);
      stream.append(piece);
      onProgress(stream.size);
      if (pace.due()) await pace.breathe();
    }
    stream.close();
  } catch (error) {
    stream?.discard();
    throw error;
  } finally {
    source.close();
  }
  return hash.digest('hex');
}
