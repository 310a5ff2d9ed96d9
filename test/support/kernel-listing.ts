import type { ByteString } from '../../images/bytes/byte-string.js';
import type { NodeType } from '../../images/tree/node.js';

/** A file larger than was to be read is known by three pieces of this length: see `samplesOf`. */
export const SAMPLE_BYTES = 1024 * 1024;

/** What the three pieces have together: no smaller file is sampled. */
export const SAMPLED_BYTES = 3 * SAMPLE_BYTES;

export interface ContentDigest {
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** Of the whole content; otherwise of the pieces that `samplesOf` names, one after the other. */
  readonly whole: boolean;
}

/** Where the pieces start: one at the start, one at the MiB that holds the middle, one that ends with the file. */
export function samplesOf(size: number): readonly number[] {
  return [0, Math.floor(size / 2 / SAMPLE_BYTES) * SAMPLE_BYTES, size - SAMPLE_BYTES];
}

/** What the kernel says about one name of a mounted image. */
export interface KernelEntry {
  readonly type: NodeType;
  /** Permission bits, 0..0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Length in bytes as the kernel gives it; for directories and devices this depends on the filesystem. */
  readonly size: number;
  /** Whole seconds since 1970, rounded down. */
  readonly mtime: number;
  readonly mtimeNanoseconds: number;
  /** Names with the same inode number are hard links of one file. */
  readonly inode: number;
  /** 512-byte units that the filesystem says it has allocated, its own metadata included. */
  readonly sectors: number;
  /** Target of a symbolic link. */
  readonly target?: ByteString;
  /** Of a file's content. */
  readonly digest?: ContentDigest;
  /** Of a device, `major,minor`; known only where device numbers were asked for. */
  readonly rdev?: string;
  /** Extended attributes by name, values in hexadecimal; known only where they were asked for. */
  readonly xattrs?: ReadonlyMap<ByteString, string>;
}

/** Absolute path, `/` for the root, to what the kernel shows there. */
export type KernelListing = ReadonlyMap<ByteString, KernelEntry>;

/**
 * GNU find's `-printf` format for `parseListing`: three fields for each name, each ended by a NUL byte, the one
 * byte that stands neither in a name nor in a link target.
 */
export const FIND_FORMAT = '%y %m %U %G %n %s %i %b %T@\\0%P\\0%l\\0';

const types: Record<string, NodeType> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  b: 'block',
  c: 'character',
  p: 'fifo',
  s: 'socket',
};

/**
 * Reads what find printed with {@link FIND_FORMAT} for `.`, and lines `DIGEST  ./PATH` that end in NUL bytes
 * (`sha256sum --zero`), or `DIGEST *./PATH` where only samples were read. `devices` has a record
 * `MAJOR MINOR ./PATH` in hexadecimal for each device (stat's `--printf '%t %T %n\0'`), `xattrs` is what getfattr
 * prints with `-d -e hex`. Throws when one is not of that form or a file's digest is missing.
 */
export function parseListing(
  names: Buffer,
  digests: Buffer,
  devices: Buffer = Buffer.alloc(0),
  xattrs?: Buffer,
): KernelListing {
  const numbers = parseDevices(devices);
  const attributes = xattrs === undefined ? undefined : parseAttributes(xattrs);
  const contents = new Map<ByteString, ContentDigest>();
  for (const line of fieldsOf(digests)) {
    const [, sha256, mark, path] = /^([0-9a-f]{64}) ([ *])\.\/([\s\S]+)$/.exec(line) ?? [];
    if (sha256 === undefined || path === undefined) throw new Error(`no digest: ${line}`);
    contents.set(path, { sha256, whole: mark === ' ' });
  }
  const listing = new Map<ByteString, KernelEntry>();
  const fields = fieldsOf(names);
  for (let index = 0; index < fields.length; index += 3) {
    const [facts = '', path = '', target = ''] = fields.slice(index, index + 3);
    const rdev = numbers.get(path);
    const entry: KernelEntry = {
      ...entryOf(facts, target, contents.get(path)),
      ...(rdev === undefined ? {} : { rdev }),
      ...(attributes === undefined ? {} : { xattrs: attributes.get(path) ?? new Map() }),
    };
    if (entry.type === 'file' && entry.digest === undefined) throw new Error(`no digest of /${path}`);
    if (listing.has(`/${path}`)) throw new Error(`/${path} is listed twice`);
    listing.set(`/${path}`, entry);
  }
  return listing;
}

function parseDevices(devices: Buffer): Map<ByteString, string> {
  const numbers = new Map<ByteString, string>();
  for (const line of fieldsOf(devices)) {
    const [, major, minor, path] = /^([0-9a-f]+) ([0-9a-f]+) \.\/([\s\S]+)$/.exec(line) ?? [];
    if (major === undefined || minor === undefined || path === undefined)
      throw new Error(`no device: ${line}`);
    numbers.set(path, `${Number.parseInt(major, 16)},${Number.parseInt(minor, 16)}`);
  }
  return numbers;
}

/** What `getfattr -d -e hex` prints: a comment with the path, then lines `NAME=0xHEX`, then an empty line. */
function parseAttributes(text: Buffer): Map<ByteString, Map<ByteString, string>> {
  const found = new Map<ByteString, Map<ByteString, string>>();
  let current: Map<ByteString, string> | undefined;
  for (const line of text.toString('latin1').split('\n')) {
    const path = /^# file: (.+)$/.exec(line)?.[1];
    const [, name, value] = /^([^=]+)=(?:0x([0-9a-f]*)|"")$/.exec(line) ?? [];
    if (path !== undefined) {
      current = new Map();
      found.set(path === '.' ? '' : unquoted(path), current);
    } else if (name !== undefined && current !== undefined) current.set(unquoted(name), value ?? '');
    else if (line !== '') throw new Error(`no line of getfattr: ${line}`);
  }
  return found;
}

/** Undoes the octal escapes that getfattr has for the bytes that its own form needs. */
function unquoted(text: ByteString): ByteString {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function fieldsOf(bytes: Buffer): string[] {
  if (bytes.length === 0) return [];
  const fields = bytes.toString('latin1').split('\0');
  if (fields.pop() !== '') throw new Error('the listing does not end with a NUL byte');
  return fields;
}

function entryOf(attributes: string, target: ByteString, digest: ContentDigest | undefined): KernelEntry {
  const [kind = '', mode = '', ...rest] = attributes.split(' ');
  const type = types[kind];
  const [uid, gid, links, size, inode, sectors] = rest.map(Number);
  // Before 1970 find prints the seconds rounded down, but the fraction as if it had to be added to them.
  const mtime = Number.parseInt(rest[6] ?? '', 10);
  const mtimeNanoseconds = Number((rest[6]?.split('.')[1] ?? '').slice(0, 9).padEnd(9, '0'));
  if (
    type === undefined ||
    uid === undefined ||
    gid === undefined ||
    links === undefined ||
    size === undefined ||
    inode === undefined ||
    sectors === undefined ||
    Number.isNaN(mtime) ||
    Number.isNaN(mtimeNanoseconds)
  ) {
    throw new Error(`no line of find: ${attributes}`);
  }
  return {
    type,
    mode: Number.parseInt(mode, 8),
    uid,
    gid,
    links,
    size,
    mtime,
    mtimeNanoseconds,
    inode,
    sectors,
    ...(type === 'symlink' ? { target } : {}),
    ...(type === 'file' && digest !== undefined ? { digest } : {}),
  };
}
