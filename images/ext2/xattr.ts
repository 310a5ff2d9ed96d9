import { type ByteString, byteString } from '../bytes/byte-string.js';
import { readContent } from '../tree/content.js';
import { xattrAcl } from './acl.js';
import { byteExtents } from './data-map.js';
import type { Ext2Inode } from './inode.js';
import type { Ext2Volume } from './volume.js';

export const ATTRIBUTE_MAGIC = 0xea020000;
export const BLOCK_HEADER_BYTES = 32;
export const ENTRY_HEADER_BYTES = 16;
/** Linux's limit on a value (XATTR_SIZE_MAX). */
const VALUE_BYTES_MAX = 65536;

/** The start of a name that its index stands for. */
export const prefixes: Readonly<Record<number, string>> = {
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
    const value = name.startsWith('system.posix_acl_') ? xattrAcl(stored) : stored;
    if (value === undefined) throw fail('an access control list that is cut short or of an unknown version');
    found.set(name, value);
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
