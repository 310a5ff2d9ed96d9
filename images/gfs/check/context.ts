import type { Pace } from '../../bytes/pace.js';
import type { GfsImage } from '../image.js';
import type { JournalIndexRecord } from '../journal.js';
import type { ResourceIndexRecord } from '../resource-group.js';
import { Claim, Claims, type ClaimValue } from './claims.js';
import type { FaultList } from './faults.js';

/** What the check found out about an inode. */
export interface InodeFacts {
  readonly formal: number;
  readonly type: number;
  /** Links as its dinode has them. */
  readonly links: number;
  /** Names found so far, or for a directory 2 and its child directories. */
  found: number;
  readonly path: string;
}

/** What all parts of a check share. */
export class CheckContext {
  /** The groups whose index records can be believed, in the order of their addresses. */
  groups: readonly ResourceIndexRecord[] = [];
  journals: readonly JournalIndexRecord[] = [];
  readonly claims = new Claims();
  readonly inodes = new Map<number, InodeFacts>();
  /** Blocks by owner: what the quota file should say. */
  readonly users = new Map<number, number>();
  readonly owningGroups = new Map<number, number>();
  directories = 0;
  files = 0;
  blocksUsed = 0;
  /** Some inode has extended attributes. */
  hasAttributes = false;
  /** Blocks of attribute data that inodes count: no pointer to them is followed, the format document has none. */
  attributeData = 0;
  private lastGroup: ResourceIndexRecord | undefined;

  constructor(
    readonly image: GfsImage,
    readonly faults: FaultList,
    readonly pace: Pace,
  ) {}

  /** The group in whose data area a block lies. */
  groupOf(block: number): ResourceIndexRecord | undefined {
    const last = this.lastGroup;
    if (last !== undefined && block >= last.firstData && block < last.firstData + last.data) return last;
    const group = this.lastGroupFrom(block);
    if (group === undefined || block < group.firstData || block >= group.firstData + group.data)
      return undefined;
    this.lastGroup = group;
    return group;
  }

  /** The group whose header is this block. */
  groupAt(address: number): ResourceIndexRecord | undefined {
    const group = this.lastGroupFrom(address);
    return group?.address === address ? group : undefined;
  }

  /**
   * Gives a block to an owner. False, with a fault at `holder`, when it lies nowhere it may or belongs to another;
   * what it points at must then not be followed.
   */
  claim(block: number, claim: ClaimValue, holder: number, what: string, path?: string): boolean {
    if (this.groupOf(block) === undefined) {
      this.faults.add('block-location', holder, `${what}: block ${block} is ${this.placeOf(block)}`, path);
      return false;
    }
    if (this.claims.get(block) !== Claim.none) {
      this.faults.add(
        'block-claimed-twice',
        block,
        `${what} (from block ${holder}) belongs to something else too`,
        path,
      );
      return false;
    }
    this.claims.set(block, claim);
    this.blocksUsed += 1;
    return true;
  }

  /** The last group that begins at this block or before it. */
  private lastGroupFrom(block: number): ResourceIndexRecord | undefined {
    let low = 0;
    let high = this.groups.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.groups[middle]!.address <= block) low = middle + 1;
      else high = middle;
    }
    return this.groups[low - 1];
  }

  private placeOf(block: number): string {
    const { image } = this;
    if (!(block < image.blockCount)) return `outside the device (${image.blockCount} blocks)`;
    if (block <= image.geometry.superblockBlock) return 'the superblock or before it';
    const journal = this.journals.findIndex(
      ({ address, segments }) =>
        block >= address && block < address + segments * image.superblock.segmentBlocks,
    );
    if (journal >= 0) return `in journal ${journal}`;
    const group = this.lastGroupFrom(block);
    return group !== undefined && block < group.firstData
      ? `the header or bitmap of the resource group at block ${group.address}`
      : 'in no resource group';
  }
}
