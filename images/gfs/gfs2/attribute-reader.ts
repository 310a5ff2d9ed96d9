import type { ByteString } from '../../bytes/byte-string.js';
import { textFromByteString } from '../../bytes/byte-string.js';
import { readUint64BE } from '../../bytes/integers.js';
import { imageError } from '../../diagnostic.js';
import { HEADER_BYTES } from '../constants.js';
import { faultOfHeader } from '../metadata-header.js';
import type { DinodeBlock } from '../volume.js';
import { readAttributeRecords } from './attribute-record.js';
import { Gfs2DinodeFlag } from './constants.js';
import type { Gfs2Dinode } from './dinode.js';
import type { Gfs2Image } from './image.js';

/** Reads the extended attributes of inodes (docs/gfs2-format.md §7). */
export class AttributeReader {
  /**
   * Which dinode each block of attributes was read for. No two inodes share one: a damaged image in which a million
   * do would otherwise fill the memory with copies of the same values.
   */
  private readonly owners = new Map<number, number>();

  constructor(private readonly image: Gfs2Image) {}

  /** Undefined for an inode without attributes. Throws a DiagnosticError on damaged ones. */
  read({ address, dinode }: DinodeBlock<Gfs2Dinode>): Map<ByteString, Buffer> | undefined {
    if (dinode.attributes === 0) return undefined;
    const { image } = this;
    const found = new Map<ByteString, Buffer>();
    const seen = new Set<number>();
    for (const place of this.blocksOf(address, dinode, seen)) {
      const block = this.readOwned(place, address, 'extendedAttribute', seen);
      const records = readAttributeRecords(image.geometry, block, (offset, message) => {
        throw imageError({ file: image.name, block: place }, `${message}, at byte ${offset} of the block`);
      });
      for (const { attribute } of records) {
        if (attribute === undefined) continue;
        const { name, valueBytes, stored, pointers } = attribute;
        if (found.has(name))
          throw image.error(place, `the attribute "${textFromByteString(name)}" stands twice`);
        found.set(name, stored ?? this.readValue(pointers, valueBytes, address, seen));
      }
    }
    return found.size === 0 ? undefined : found;
  }

  /** The blocks that hold records: the one the dinode names, or those an indirect block points at. */
  private *blocksOf(address: number, dinode: Gfs2Dinode, seen: Set<number>): Generator<number> {
    if ((dinode.flags & Gfs2DinodeFlag.indirectAttributes) === 0) {
      yield dinode.attributes;
      return;
    }
    const { geometry } = this.image;
    const block = this.readOwned(dinode.attributes, address, 'indirect', seen);
    for (let offset = geometry.indirectHeaderBytes; offset + 8 <= block.length; offset += 8) {
      const pointer = readUint64BE(block, offset);
      if (pointer !== 0) yield pointer;
    }
  }

  private readValue(
    pointers: readonly number[],
    valueBytes: number,
    owner: number,
    seen: Set<number>,
  ): Buffer {
    const value = Buffer.alloc(valueBytes);
    const { journaledBytes } = this.image.geometry;
    for (const [index, pointer] of pointers.entries()) {
      const block = this.readOwned(pointer, owner, 'extendedAttributeData', seen);
      block.copy(value, index * journaledBytes, HEADER_BYTES);
    }
    return value;
  }

  private readOwned(
    block: number,
    owner: number,
    type: 'indirect' | 'extendedAttribute' | 'extendedAttributeData',
    seen: Set<number>,
  ): Buffer {
    const { image } = this;
    image.checkAddress(block, `the extended attributes of the inode at block ${owner}`);
    if (seen.has(block) || (this.owners.get(block) ?? owner) !== owner)
      throw image.error(block, 'a block of extended attributes that is used twice');
    seen.add(block);
    this.owners.set(block, owner);
    const bytes = image.readBlock(block);
    const fault = faultOfHeader(bytes, type);
    if (fault !== undefined) throw image.error(block, fault);
    return bytes;
  }
}
