import type { ByteString } from '../bytes/byte-string.js';

/** Entries of an access control list, in the order they are stored in (Linux: include/uapi/linux/posix_acl.h). */
const tags = new Map([
  ['user', 0x01],
  ['user of', 0x02],
  ['group', 0x04],
  ['group of', 0x08],
  ['mask', 0x10],
  ['other', 0x20],
]);

/** The form of the xattr (Linux: include/uapi/linux/posix_acl_xattr.h). */
const VERSION = 2;
const NO_ID = 0xffffffff;

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/**
 * The value of the xattr `system.posix_acl_*` for a list in text form (acl(5), "Text forms"), as tar's `SCHILY.acl.*`
 * records have it: entries with commas or line ends between them, perhaps with a numeric id in a fourth field (star).
 * Undefined when it can't be had: users or groups by name only, or no such list at all.
 */
export function posixAclOf(text: ByteString): Buffer | undefined {
  const entries: Entry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const trimmed = line.replace(/#.*/, '').trim();
    if (trimmed === '') continue;
    const entry = entryOf(trimmed);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(VERSION, 0);
  for (const [index, { tag, permissions, id }] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * index);
    value.writeUInt16LE(permissions, 6 + 8 * index);
    value.writeUInt32LE(id, 8 + 8 * index);
  }
  return value;
}

function entryOf(text: string): Entry | undefined {
  const [type = '', qualifier = '', rights = '', number] = text.split(':');
  const tag = tags.get(qualifier === '' ? type : `${type} of`);
  const match = /^([r-])([w-])([x-])$/.exec(rights);
  if (tag === undefined || match === null) return undefined;
  const permissions = (match[1] === 'r' ? 4 : 0) | (match[2] === 'w' ? 2 : 0) | (match[3] === 'x' ? 1 : 0);
  if (qualifier === '') return { tag, permissions, id: NO_ID };
  const digits = number ?? qualifier;
  const id = /^\d{1,10}$/.test(digits) ? Number(digits) : NO_ID;
  return id < NO_ID ? { tag, permissions, id } : undefined;
}

/** Whether a list says more than the permission bits do: only then Linux stores it with the file. */
export function isMoreThanMode(acl: Buffer): boolean {
  return acl.length > 4 + 3 * 8;
}
