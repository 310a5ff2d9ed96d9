import { textFromByteString } from '../../../bytes/byte-string.js';
import { readUint64BE } from '../../../bytes/integers.js';
import { Claim } from '../../check/claims.js';
import { faultOfHeader } from '../../metadata-header.js';
import type { DinodeBlock } from '../../volume.js';
import { readAttributeRecords } from '../attribute-record.js';
import { Gfs2DinodeFlag } from '../constants.js';
import type { Gfs2Dinode } from '../dinode.js';
import type { Gfs2CheckContext } from './context.js';

/** Claims and checks the blocks of an inode's extended attributes (docs/gfs2-format.md §7). Returns how many. */
export function checkAttributes(
  context: Gfs2CheckContext,
  inode: DinodeBlock<Gfs2Dinode>,
  path: string,
): number {
  const { dinode, address } = inode;
  if (dinode.attributes === 0) return 0;
  const checker = new AttributeChecker(context, path);
  if ((dinode.flags & Gfs2DinodeFlag.indirectAttributes) === 0) {
    checker.checkRecords(dinode.attributes, address);
    return checker.blocks;
  }
  const block = checker.claim(dinode.attributes, address, 'indirect');
  if (block === undefined) return checker.blocks;
  const { indirectHeaderBytes, blockSize } = context.image.geometry;
  for (let offset = indirectHeaderBytes; offset + 8 <= blockSize && !context.faults.truncated; offset += 8) {
    const pointer = readUint64BE(block, offset);
    if (pointer !== 0) checker.checkRecords(pointer, dinode.attributes);
  }
  return checker.blocks;
}

class AttributeChecker {
  /** Claimed so far. */
  blocks = 0;
  private readonly names = new Set<string>();

  constructor(
    private readonly context: Gfs2CheckContext,
    private readonly path: string,
  ) {}

  /** The block's bytes; undefined, with a fault, when it can't be had or is of another type. */
  claim(
    pointer: number,
    holder: number,
    type: 'indirect' | 'extendedAttribute' | 'extendedAttributeData',
  ): Buffer | undefined {
    const { context, path } = this;
    if (!context.claim(pointer, Claim.metadata, holder, 'a block of extended attributes', path))
      return undefined;
    this.blocks += 1;
    const block = context.image.readBlock(pointer);
    const fault = faultOfHeader(block, type);
    if (fault === undefined) return block;
    context.faults.add('attribute-block', pointer, fault, path);
    return undefined;
  }

  /** A block of records and the values they point at. */
  checkRecords(pointer: number, holder: number): void {
    const { context, path } = this;
    const { faults, image } = context;
    const block = this.claim(pointer, holder, 'extendedAttribute');
    if (block === undefined) return;
    const records = readAttributeRecords(image.geometry, block, (offset, message) => {
      faults.add('attribute-record', pointer, `${message}, at byte ${offset} of the block`, path);
    });
    for (const { attribute } of records) {
      if (attribute === undefined) continue;
      if (this.names.has(attribute.name)) {
        const name = textFromByteString(attribute.name);
        faults.add('attribute-record', pointer, `the attribute "${name}" stands twice`, path);
      }
      this.names.add(attribute.name);
      for (const value of attribute.pointers) this.claim(value, pointer, 'extendedAttributeData');
    }
  }
}
