import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { usageError } from '../../images/diagnostic.js';
import { PIECE_BYTES, piecesOf } from '../../images/tree/content.js';
import { lookUp } from '../../images/tree/lookup.js';
import { openFilesystem } from '../../pipelines/open-image.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

/** `ssi-image cat`: a file's bytes to standard output; symbolic links are followed inside the image. */
export async function cat(image: string, path: string, options: { poolDevice?: string[] }): Promise<number> {
  const pace = commandPace();
  const filesystem = await openFilesystem(image, {
    pace,
    signal: interruptionSignal,
    poolDevices: options.poolDevice ?? [],
  });
  try {
    const { node } = lookUp(filesystem, byteStringFromText(path), true);
    if (node.type !== 'file') throw usageError(`${path} is a ${node.type}, not a file`);
    const zeros = Buffer.alloc(PIECE_BYTES);
    let position = 0;
    const writeZeros = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += zeros.length) {
        pace.check();
        await writeOut(zeros.subarray(0, Math.min(zeros.length, count - done)));
      }
    };
    for (const piece of piecesOf(node.content, node.size)) {
      pace.check();
      await writeZeros(piece.offset - position);
      // The stream keeps what it is given, the piece's buffer is used again: hand over a copy.
      await writeOut(Buffer.from(piece.bytes));
      position = piece.offset + piece.bytes.length;
    }
    await writeZeros(node.size - position);
    return ExitCode.done;
  } finally {
    filesystem.close();
  }
}
