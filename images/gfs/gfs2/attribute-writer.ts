import type { ByteString } from '../../bytes/byte-string.js';
import { writeInt64BE } from '../../bytes/integers.js';
import type { TreeNode } from '../../tree/node.js';
import type { MetadataBlocks } from '../block-tree-writer.js';
import { HEADER_BYTES } from '../constants.js';
import type { Geometry } from '../geometry.js';
import { writeMetadataHeader } from '../metadata-header.js';
import type { WrittenAttributes } from '../tree-writer.js';
import {
  type AttributePlan,
  attributeNameOf,
  encodeAttributeRecord,
  planAttribute,
  VALUE_BYTES_MAX,
} from './attribute-record.js';
import { Gfs2DinodeFlag } from './constants.js';

const ACL_VERSION = 2;
const ACL_NAMES = ['system.posix_acl_access', 'system.posix_acl_default'];

/** The attributes of one inode as they will lie on disk: the records of each block. */
type AttributeBlocks = readonly (readonly AttributePlan[])[];

/** Plans and writes extended attributes (docs/gfs2-format.md §7). */
export class AttributeWriter {
  constructor(
    private readonly geometry: Geometry,
    private readonly filesystemFormat: number,
  ) {}

  /** Names of the attributes that GFS2 has no place for. */
  unkept({ xattrs }: TreeNode): ByteString[] {
    if (xattrs === undefined) return [];
    return [...xattrs]
      .filter(([name, value]) => this.planOf(name, value) === undefined)
      .map(([name]) => name);
  }

  /** Why an inode's attributes can't be stored all together, or undefined when they can. */
  fault(node: TreeNode): string | undefined {
    const { length } = this.plan(node);
    const { indirectPointers } = this.geometry;
    return length <= indirectPointers
      ? undefined
      : `its extended attributes need ${length} blocks (at most ${indirectPointers})`;
  }

  /** Blocks that an inode's attributes take. */
  blocks(node: TreeNode): number {
    const plan = this.plan(node);
    const values = plan.flat().reduce((sum, { valueBlocks }) => sum + valueBlocks, 0);
    return plan.length + (plan.length > 1 ? 1 : 0) + values;
  }

  write(node: TreeNode, blocks: MetadataBlocks): WrittenAttributes {
    const plan = this.plan(node);
    if (plan.length === 0) return { address: 0, blocks: 0, flags: 0 };
    const isIndirect = plan.length > 1;
    let taken = 0;
    const take = (): number => {
      taken += 1;
      return blocks.allocateMetadata();
    };
    const top = isIndirect ? take() : 0;
    const places = plan.map(take);
    for (const [index, records] of plan.entries()) {
      const bytes = this.blockOf(records, take, blocks);
      blocks.writeBlock(places[index]!, bytes);
    }
    if (isIndirect) blocks.writeBlock(top, this.indirectBlock(places));
    return {
      address: isIndirect ? top : places[0]!,
      blocks: taken,
      flags: isIndirect ? Gfs2DinodeFlag.indirectAttributes : 0,
    };
  }

  /** How an attribute will be stored; undefined when GFS2 has no place for it. */
  private planOf(full: ByteString, value: Uint8Array): AttributePlan | undefined {
    const name = attributeNameOf(full, this.filesystemFormat);
    if (name === undefined || value.length > VALUE_BYTES_MAX) return undefined;
    // Of this kind a kernel knows access control lists only.
    if (full.startsWith('system.') && !(ACL_NAMES.includes(full) && isAcl(value))) return undefined;
    const plan = planAttribute(this.geometry, name, value);
    // In small blocks the pointers to a large value do not fit.
    return plan.recordBytes <= this.geometry.journaledBytes ? plan : undefined;
  }

  private plan({ xattrs }: TreeNode): AttributeBlocks {
    if (xattrs === undefined) return [];
    const plan: AttributePlan[][] = [];
    let room = 0;
    for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const record = this.planOf(name, value);
      if (record === undefined) continue;
      const block = plan.at(-1);
      if (block === undefined || record.recordBytes > room) {
        plan.push([record]);
        room = this.geometry.journaledBytes;
      } else block.push(record);
      room -= record.recordBytes;
    }
    return plan;
  }

  private blockOf(records: readonly AttributePlan[], take: () => number, blocks: MetadataBlocks): Buffer {
    const bytes = this.newBlock('extendedAttribute');
    let offset = HEADER_BYTES;
    for (const [index, record] of records.entries()) {
      const isLast = index + 1 === records.length;
      const length = isLast ? bytes.length - offset : record.recordBytes;
      encodeAttributeRecord(bytes, record, this.writeValue(record, take, blocks), offset, length, isLast);
      offset += length;
    }
    return bytes;
  }

  /** Writes a value that does not fit in its record. Returns its blocks. */
  private writeValue(
    { value, valueBlocks }: AttributePlan,
    take: () => number,
    blocks: MetadataBlocks,
  ): number[] {
    const { journaledBytes } = this.geometry;
    return Array.from({ length: valueBlocks }, (_, index) => {
      const bytes = this.newBlock('extendedAttributeData');
      bytes.set(value.subarray(index * journaledBytes, (index + 1) * journaledBytes), HEADER_BYTES);
      const address = take();
      blocks.writeBlock(address, bytes);
      return address;
    });
  }

  private indirectBlock(places: readonly number[]): Buffer {
    const bytes = this.newBlock('indirect');
    for (const [index, place] of places.entries())
      writeInt64BE(bytes, place, this.geometry.indirectHeaderBytes + index * 8);
    return bytes;
  }

  private newBlock(type: 'indirect' | 'extendedAttribute' | 'extendedAttributeData'): Buffer {
    const bytes = Buffer.alloc(this.geometry.blockSize);
    writeMetadataHeader(bytes, type);
    return bytes;
  }
}

/** Whether a value has the form of getxattr(2) for an access control list, in which GFS2 stores it too. */
function isAcl(value: Uint8Array): boolean {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return bytes.length > 4 && (bytes.length - 4) % 8 === 0 && bytes.readUInt32LE(0) === ACL_VERSION;
}
