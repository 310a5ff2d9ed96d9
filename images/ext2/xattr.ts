import { type ByteString, byteString } from '../bytes/byte-string.js';
import { readContent } from '../tree/content.js';
import { byteExtents } from './data-map.js';
import type { Ext2Inode } from './inode.js';
import type { Ext2Volume } from './volume.js';

const ATTRIBUTE_MAGIC = 0xea020000;
const BLOCK_HEADER_BYTES = 32;
const ENTRY_HEADER_BYTES = 16;
/** Linux's limit on a value (XATTR_SIZE_MAX). */
const VALUE_BYTES_MAX = 65536;

/** The start of a name that its index stands for. */
const prefixes: Readonly<Record<number, string>> = {
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
};

/** Name of the attribute that holds what inline data has no room for in the inode. */
export const INLINE_DATA_ATTRIBUTE = 'system.data';

/** All extended attributes of an inode, in it and in its attribute block. Throws a DiagnosticError on damage. */
export function readAttributes(volume: Ext2Volume, inode: Ext2Inode): Map<ByteString, Buffer> {
  const found = new Map<ByteString, Buffer>();
  const { attributeBytes, attributeBlock } = inode;
  if (attributeBytes.length >= 4 && attributeBytes.readUInt32LE(0) === ATTRIBUTE_MAGIC) {
    readEntries(volume, inode, attributeBytes.subarray(4), 0, found);
  }
  if (attributeBlock !== 0) {
    const block = volume.readBlock(attributeBlock);
    if (block.readUInt32LE(0) !== ATTRIBUTE_MAGIC) {
      throw volume.error(
        attributeBlock,
        `no block of extended attributes, though inode ${inode.number} says so`,
      );
    }
    readEntries(volume, inode, block, BLOCK_HEADER_BYTES, found);
  }
  return found;
}

/** Reads entries from `start` on; offsets of values count from the start of `area`. */
function readEntries(
  volume: Ext2Volume,
  inode: Ext2Inode,
  area: Buffer,
  start: number,
  found: Map<ByteString, Buffer>,
): void {
  const fail = (message: string) => volume.inodeError(inode.number, `extended attributes: ${message}`);
  let offset = start;
  while (offset + 4 <= area.length && area.readUInt32LE(offset) !== 0) {
    if (offset + ENTRY_HEADER_BYTES > area.length) throw fail('an entry reaches out of its area');
    const nameBytes = area.readUInt8(offset);
    const prefix = prefixes[area.readUInt8(offset + 1)];
    const valueOffset = area.readUInt16LE(offset + 2);
    const valueInode = area.readUInt32LE(offset + 4);
    const valueBytes = area.readUInt32LE(offset + 8);
    const nameAt = offset + ENTRY_HEADER_BYTES;
    if (nameAt + nameBytes > area.length) throw fail('a name reaches out of its area');
    if (prefix === undefined) throw fail(`an unknown name index ${area.readUInt8(offset + 1)}`);
    const name = prefix + byteString(area.subarray(nameAt, nameAt + nameBytes));
    if (valueBytes > VALUE_BYTES_MAX) throw fail(`a value of ${valueBytes} bytes`);
    if (valueInode === 0 && valueOffset + valueBytes > area.length)
      throw fail('a value reaches out of its area');
    const stored =
      valueInode === 0
        ? Buffer.from(area.subarray(valueOffset, valueOffset + valueBytes))
        : readValueInode(volume, valueInode, valueBytes);
    found.set(name, name.startsWith('system.posix_acl_') ? linuxAcl(stored, fail) : stored);
    offset = nameAt + ((nameBytes + 3) & ~3);
  }
}

/** A large value lies in an inode of its own (feature ea_inode). */
function readValueInode(volume: Ext2Volume, number: number, bytes: number): Buffer {
  const inode = volume.readInode(number);
  if (inode.size !== bytes)
    throw volume.inodeError(number, `an attribute value of ${inode.size} bytes instead of ${bytes}`);
  return readContent(
    { kind: 'extents', source: volume.source, extents: () => byteExtents(volume, inode) },
    bytes,
  );
}

const ACL_DISK_VERSION = 1;
const ACL_XATTR_VERSION = 2;
const NO_ID = 0xffffffff;
/** Tags of entries that name a user or a group. */
const namedTags = [0x02, 0x08];

/** An access control list from its form on disk to the one that getxattr gives. */
function linuxAcl(stored: Buffer, fail: (message: string) => Error): Buffer {
  if (stored.length < 4 || stored.readUInt32LE(0) !== ACL_DISK_VERSION)
    throw fail('an access control list of an unknown version');
  const parts: Buffer[] = [];
  const version = Buffer.alloc(4);
  version.writeUInt32LE(ACL_XATTR_VERSION);
  parts.push(version);
  for (let offset = 4; offset < stored.length; ) {
    if (offset + 4 > stored.length) throw fail('an access control list is cut short');
    const tag = stored.readUInt16LE(offset);
    const named = namedTags.includes(tag);
    if (offset + (named ? 8 : 4) > stored.length) throw fail('an access control list is cut short');
    const entry = Buffer.alloc(8);
    stored.copy(entry, 0, offset, offset + 4);
    entry.writeUInt32LE(named ? stored.readUInt32LE(offset + 4) : NO_ID, 4);
    parts.push(entry);
    offset += named ? 8 : 4;
  }
  return Buffer.concat(parts);
}
