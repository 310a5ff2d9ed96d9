import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { extractTree } from '../../images/tree/extract.js';
import { readBelow } from '../../images/tree/from-filesystem.js';
import { escapedName } from '../../images/tree/listing.js';
import { lookUp } from '../../images/tree/lookup.js';
import { openFilesystem } from '../../pipelines/open-image.js';
import { makeSpecialFile } from '../../pipelines/special-files.js';
import { commandPace, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

/** How many of the things that could not be kept are named one by one. */
const NAMED_MAX = 20;

/** `ssi-image extract`: a file or directory out of an image onto the host. */
export async function extract(
  image: string,
  path: string,
  destination: string,
  options: { poolDevice?: string[] },
): Promise<number> {
  const pace = commandPace();
  const filesystem = await openFilesystem(image, {
    pace,
    signal: interruptionSignal,
    poolDevices: options.poolDevice ?? [],
  });
  try {
    const found = lookUp(filesystem, byteStringFromText(path));
    const node = await readBelow(filesystem, found.inode, found.path, pace);
    const result = await extractTree(node, destination, { makeSpecial: makeSpecialFile }, pace);
    await writeOut(`${destination}: ${result.entries} entries\n`);
    for (const { path: lost, what, why } of result.notKept.slice(0, NAMED_MAX)) {
      process.stderr.write(`not kept: ${escapedName(lost)}: ${what} (${why})\n`);
    }
    const more = result.notKept.length - NAMED_MAX;
    if (more > 0) process.stderr.write(`not kept: ${more} more\n`);
    return ExitCode.done;
  } finally {
    filesystem.close();
  }
}
