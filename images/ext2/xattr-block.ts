import { type ByteString, bytesOf } from '../bytes/byte-string.js';
import { diskAcl } from './acl.js';
import { ATTRIBUTE_MAGIC, BLOCK_HEADER_BYTES, ENTRY_HEADER_BYTES, prefixes } from './xattr.js';

const REFERENCES_OFFSET = 4;
const NAME_BYTES_MAX = 255;
/** `system.` alone is for the filesystem's own use, and no Linux reads `system.richacl`. */
const indexesInUse = [1, 2, 3, 4, 6];
const aclIndexes = [2, 3];

interface Entry {
  readonly index: number;
  readonly name: Buffer;
  readonly value: Uint8Array;
}

/** The attributes of a node as an ext2 filesystem stores them. */
export interface StoredAttributes {
  /** The block; undefined where nothing is to be stored. Its count of references is still 0. */
  readonly block: Buffer | undefined;
  /** Names that have no form in ext2, and why. */
  readonly notKept: readonly { readonly name: ByteString; readonly why: string }[];
}

/** Puts attributes into the form of a block. Returns the bytes they would need where a block is too small. */
export function attributeBlock(
  attributes: ReadonlyMap<ByteString, Uint8Array>,
  blockSize: number,
): StoredAttributes | number {
  const entries: Entry[] = [];
  const notKept: { name: ByteString; why: string }[] = [];
  for (const [name, value] of attributes) {
    const entry = entryOf(name, value);
    if (typeof entry === 'string') notKept.push({ name, why: entry });
    else entries.push(entry);
  }
  if (entries.length === 0) return { block: undefined, notKept };
  const needed = entries.reduce((sum, entry) => sum + entryBytes(entry) + padded(entry.value.length), 0);
  // Behind the last entry stands one of four zero bytes.
  const total = BLOCK_HEADER_BYTES + needed + 4;
  if (total > blockSize) return total;
  return { block: writeEntries(entries.sort(inOrder), Buffer.alloc(blockSize)), notKept };
}

/** Sets how many inodes share the block. */
export function setReferences(block: Buffer, count: number): void {
  block.writeUInt32LE(count, REFERENCES_OFFSET);
}

/** The entry for an attribute, or why there is none. */
function entryOf(name: ByteString, value: Uint8Array): Entry | string {
  const index = indexesInUse.find((candidate) => {
    const prefix = prefixes[candidate] ?? '';
    return aclIndexes.includes(candidate) ? name === prefix : name.startsWith(prefix);
  });
  if (index === undefined) return 'ext2 has no place for names of this kind';
  const rest = name.slice((prefixes[index] ?? '').length);
  if (aclIndexes.includes(index)) {
    const acl = diskAcl(value);
    return acl === undefined
      ? 'its value is no access control list'
      : { index, name: Buffer.alloc(0), value: acl };
  }
  if (rest === '') return 'the name ends with its prefix';
  if (rest.length > NAME_BYTES_MAX || rest.includes('\0')) return 'no Linux takes such a name';
  return { index, name: bytesOf(rest), value };
}

/** The order that Linux searches in: index, length of the name, name. */
function inOrder(a: Entry, b: Entry): number {
  return a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

function entryBytes({ name }: Entry): number {
  return ENTRY_HEADER_BYTES + padded(name.length);
}

/** Entries go up from the header, values down from the end. */
function writeEntries(entries: readonly Entry[], block: Buffer): Buffer {
  let offset = BLOCK_HEADER_BYTES;
  let valueEnd = block.length;
  let blockHash = 0;
  for (const entry of entries) {
    const { index, name, value } = entry;
    valueEnd -= padded(value.length);
    block.set(value, valueEnd);
    block.set(name, offset + ENTRY_HEADER_BYTES);
    const hash = hashOf(name, block.subarray(valueEnd, valueEnd + padded(value.length)));
    block.writeUInt8(name.length, offset);
    block.writeUInt8(index, offset + 1);
    block.writeUInt16LE(value.length === 0 ? 0 : valueEnd, offset + 2);
    block.writeUInt32LE(value.length, offset + 8);
    block.writeUInt32LE(hash, offset + 12);
    blockHash = (rotated(blockHash, 16) ^ hash) >>> 0;
    offset += entryBytes(entry);
  }
  block.writeUInt32LE(ATTRIBUTE_MAGIC, 0);
  block.writeUInt32LE(1, 8);
  block.writeUInt32LE(blockHash, 12);
  return block;
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The hash of an entry, by which Linux finds equal blocks and e2fsck checks: the name's bytes, then the value's words. */
function hashOf(name: Uint8Array, paddedValue: Buffer): number {
  let hash = 0;
  for (const byte of name) hash = rotated(hash, 5) ^ byte;
  for (let offset = 0; offset < paddedValue.length; offset += 4)
    hash = rotated(hash, 16) ^ paddedValue.readInt32LE(offset);
  return hash >>> 0;
}
