/**
 * Access control lists: ext2 stores them in a form of its own (Linux: fs/ext2/acl.h), in which only entries that name
 * a user or a group have an id; getxattr(2) gives another one (include/uapi/linux/posix_acl_xattr.h), in which all do.
 */

const DISK_VERSION = 1;
const XATTR_VERSION = 2;
const NO_ID = 0xffffffff;
const VERSION_BYTES = 4;
const SHORT_BYTES = 4;
const LONG_BYTES = 8;
/** Tags of entries that name a user or a group. */
const namedTags = [0x02, 0x08];
/** Owner, group, mask, others. */
const unnamedTags = [0x01, 0x04, 0x10, 0x20];

/** From the form on disk to that of getxattr; undefined for what is no such list. */
export function xattrAcl(stored: Buffer): Buffer | undefined {
  if (stored.length < VERSION_BYTES || stored.readUInt32LE(0) !== DISK_VERSION) return undefined;
  const version = Buffer.alloc(VERSION_BYTES);
  version.writeUInt32LE(XATTR_VERSION);
  const parts: Buffer[] = [version];
  for (let offset = VERSION_BYTES; offset < stored.length; ) {
    if (offset + SHORT_BYTES > stored.length) return undefined;
    const named = namedTags.includes(stored.readUInt16LE(offset));
    const length = named ? LONG_BYTES : SHORT_BYTES;
    if (offset + length > stored.length) return undefined;
    const entry = Buffer.alloc(LONG_BYTES);
    stored.copy(entry, 0, offset, offset + SHORT_BYTES);
    entry.writeUInt32LE(named ? stored.readUInt32LE(offset + SHORT_BYTES) : NO_ID, SHORT_BYTES);
    parts.push(entry);
    offset += length;
  }
  return Buffer.concat(parts);
}

/** From the form of getxattr to that on disk; undefined for what is no such list. */
export function diskAcl(value: Uint8Array): Buffer | undefined {
  const list = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (list.length < VERSION_BYTES || (list.length - VERSION_BYTES) % LONG_BYTES !== 0) return undefined;
  if (list.readUInt32LE(0) !== XATTR_VERSION) return undefined;
  const version = Buffer.alloc(VERSION_BYTES);
  version.writeUInt32LE(DISK_VERSION);
  const parts: Buffer[] = [version];
  for (let offset = VERSION_BYTES; offset < list.length; offset += LONG_BYTES) {
    const tag = list.readUInt16LE(offset);
    const named = namedTags.includes(tag);
    if (!named && !unnamedTags.includes(tag)) return undefined;
    parts.push(list.subarray(offset, offset + (named ? LONG_BYTES : SHORT_BYTES)));
  }
  return Buffer.concat(parts);
}
