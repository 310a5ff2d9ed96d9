import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { NodeType } from '../tree/node.js';

/** A member's header in one of the portable forms of cpio (Linux: Documentation/driver-api/early-userspace/buffer-format). */
export interface CpioHeader {
  /** Bytes of the header; the name follows at once. */
  readonly headerBytes: number;
  /** What names and data are padded to: 4 in newc, 1 in odc. */
  readonly alignment: number;
  readonly type: NodeType | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  /** Name of the file with its final NUL. */
  readonly nameBytes: number;
  /** Device and inode number: the same for all names of a file. */
  readonly identity: string;
}

const types = new Map<number, NodeType>([
  [0o010000, 'fifo'],
  [0o020000, 'character'],
  [0o040000, 'directory'],
  [0o060000, 'block'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);

const NEWC_BYTES = 110;
const ODC_BYTES = 76;

/** Which form a magic number stands for, or undefined. */
export function formatOf(magic: Buffer): 'newc' | 'odc' | undefined {
  const text = magic.toString('latin1', 0, 6);
  if (text === '070701' || text === '070702') return 'newc';
  return text === '070707' ? 'odc' : undefined;
}

/** Reads the header at `offset`; what is wrong comes back as text. */
export function readHeader(source: ByteSource, offset: number): CpioHeader | string {
  if (offset + ODC_BYTES > source.size) return 'the archive is cut short: a header would begin here';
  const format = formatOf(readBytes(source, offset, 6));
  if (format === undefined) return 'no cpio header: its magic number is wrong';
  if (format === 'odc') return readOdc(readBytes(source, offset, ODC_BYTES));
  if (offset + NEWC_BYTES > source.size) return 'the archive is cut short: a header would begin here';
  return readNewc(readBytes(source, offset, NEWC_BYTES));
}

/** Eight hexadecimal digits a field. */
function readNewc(bytes: Buffer): CpioHeader | string {
  const values: number[] = [];
  for (let index = 0; index < 13; index++) {
    const text = bytes.toString('latin1', 6 + index * 8, 14 + index * 8);
    if (!/^[0-9A-Fa-f]{8}$/.test(text)) return 'a cpio header with a field that is no number';
    values.push(Number.parseInt(text, 16));
  }
  const [inode, mode, uid, gid, links, mtime, size, devMajor, devMinor, major, minor, nameBytes] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    headerBytes: NEWC_BYTES,
    alignment: 4,
    type: types.get(mode & 0o170000),
    mode,
    uid,
    gid,
    links,
    mtime,
    size,
    major,
    minor,
    nameBytes,
    identity: `${devMajor}:${devMinor}:${inode}`,
  };
}

/** Octal digits, six a field, eleven for time and size. */
function readOdc(bytes: Buffer): CpioHeader | string {
  const widths = [6, 6, 6, 6, 6, 6, 6, 11, 6, 11];
  const values: number[] = [];
  let offset = 6;
  for (const width of widths) {
    const text = bytes.toString('latin1', offset, offset + width);
    if (!/^[0-7]+$/.test(text)) return 'a cpio header with a field that is no number';
    values.push(Number.parseInt(text, 8));
    offset += width;
  }
  const [device, inode, mode, uid, gid, links, rdev, mtime, nameBytes, size] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    headerBytes: ODC_BYTES,
    alignment: 1,
    type: types.get(mode & 0o170000),
    mode,
    uid,
    gid,
    links,
    mtime,
    size,
    major: rdev >> 8,
    minor: rdev & 0xff,
    nameBytes,
    identity: `${device}:${inode}`,
  };
}
