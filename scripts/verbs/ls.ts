import { byteStringFromText } from '../../images/bytes/byte-string.js';
import type { Pace } from '../../images/bytes/pace.js';
import { digestOf } from '../../images/tree/content.js';
import type { Filesystem } from '../../images/tree/filesystem.js';
import { escapedName, listingLine, listingObject } from '../../images/tree/listing.js';
import { type Found, lookUp, walk } from '../../images/tree/lookup.js';
import { joinPath } from '../../images/tree/tree.js';
import { openFilesystem } from '../../pipelines/open-image.js';
import { commandPace, LineWriter } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

export interface LsOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
  readonly json?: boolean;
  readonly digest?: boolean;
  readonly poolDevice?: string[];
}

/** `ssi-image ls`: names in a directory of an image, sorted by path in byte order. */
export async function ls(image: string, path: string, options: LsOptions): Promise<number> {
  const pace = commandPace();
  const filesystem = await openFilesystem(image, {
    pace,
    signal: interruptionSignal,
    poolDevices: options.poolDevice ?? [],
  });
  try {
    const out = new LineWriter();
    const files = select(
      filesystem,
      lookUp(filesystem, byteStringFromText(path)),
      options.recursive ?? false,
    );
    files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    for (const file of files) {
      if (pace.due()) await pace.breathe();
      await out.line(await lineOf(file, options, pace));
    }
    await out.flush();
    return ExitCode.done;
  } finally {
    filesystem.close();
  }
}

/** The directory's entries; with `recursive` itself and all below it; a file that is no directory alone. */
function select(filesystem: Filesystem, start: Found, recursive: boolean): Found[] {
  if (recursive) return [...walk(filesystem, start)];
  if (start.node.type !== 'directory') return [start];
  return filesystem.readDirectory(start.inode).map(({ name, inode }) => ({
    ...filesystem.readInode(inode),
    inode,
    path: joinPath(start.path, name),
  }));
}

async function lineOf(file: Found, options: LsOptions, pace: Pace): Promise<string> {
  const { node } = file;
  const sha256 =
    options.digest === true && node.type === 'file'
      ? await digestOf(node.content, node.size, pace)
      : undefined;
  if (options.json === true) return JSON.stringify(listingObject(file.path, node, file.links, sha256));
  const name =
    options.recursive === true ? file.path : file.path.slice(file.path.lastIndexOf('/') + 1) || '/';
  const text = options.long === true ? listingLine(name, node, file.links) : escapedName(name);
  return options.digest === true ? `${sha256 ?? '-'.repeat(64)}  ${text}` : text;
}
