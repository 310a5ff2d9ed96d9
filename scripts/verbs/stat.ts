import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { escapedName, listingObject } from '../../images/tree/listing.js';
import { lookUp } from '../../images/tree/lookup.js';
import { openFilesystem } from '../../pipelines/open-image.js';
import { commandPace, formatFacts, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

/** `ssi-image stat`: all that an image says of one file; the last name of the path is not followed. */
export async function stat(
  image: string,
  path: string,
  options: { json?: boolean; poolDevice?: string[] },
): Promise<number> {
  const pace = commandPace();
  const filesystem = await openFilesystem(image, {
    pace,
    signal: interruptionSignal,
    poolDevices: options.poolDevice ?? [],
  });
  try {
    const found = lookUp(filesystem, byteStringFromText(path));
    const object = listingObject(found.path, found.node, found.links);
    if (options.json === true) {
      await writeOut(`${JSON.stringify({ ...object, inode: found.inode })}\n`);
      return ExitCode.done;
    }
    const { mtime } = found.node;
    const facts: [string, string | number][] = [
      ['path', escapedName(found.path)],
      ['type', found.node.type],
      ['inode', found.inode],
      ['mode', object.mode],
      ['owner', `${found.node.uid}:${found.node.gid}`],
      ['size', object.size],
      ['links', found.links],
      [
        'modified',
        `${formatTime(mtime.seconds)} (${mtime.seconds}${mtime.nanoseconds > 0 ? ` s, ${mtime.nanoseconds} ns` : ' s'})`,
      ],
    ];
    if (found.node.type === 'symlink') facts.push(['target', escapedName(found.node.target)]);
    if (object.rdev !== undefined) facts.push(['device', object.rdev]);
    for (const [name, value] of found.node.xattrs ?? []) {
      facts.push([`xattr ${escapedName(name)}`, Buffer.from(value).toString('hex')]);
    }
    await writeOut(formatFacts(facts));
    return ExitCode.done;
  } finally {
    filesystem.close();
  }
}

/** ISO 8601 where the calendar reaches. */
function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'beyond the calendar' : date.toISOString().replace('.000Z', 'Z');
}
