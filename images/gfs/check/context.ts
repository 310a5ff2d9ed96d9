import type { Pace } from '../../bytes/pace.js';
import type { ResourceIndexRecord } from '../resource-group.js';
import type { DinodeBlock, GfsVolume } from '../volume.js';
import { Claim, Claims, type ClaimValue } from './claims.js';
import type { FaultList } from './faults.js';

/** What the check found out about an inode. */
export interface InodeFacts {
  readonly formal: number;
  /** Code of its file type in dirents. */
  readonly type: number;
  /** Links as its dinode has them. */
  readonly links: number;
  /** Names found so far, or for a directory 2 and its child directories. */
  found: number;
  readonly path: string;
}

/** What all parts of a check share, and what of them differs between the dialects. */
export abstract class CheckContext<V extends GfsVolume = GfsVolume> {
  /** The groups whose index records can be believed, in the order of their addresses. */
  groups: readonly ResourceIndexRecord[] = [];
  readonly claims = new Claims();
  readonly inodes = new Map<number, InodeFacts>();
  /** Blocks by owner: what the quota file should say. */
  readonly users = new Map<number, number>();
  readonly owningGroups = new Map<number, number>();
  directories = 0;
  files = 0;
  blocksUsed = 0;
  /** Whether a file may own blocks behind its end. */
  abstract readonly allowsBlocksBehindEnd: boolean;
  private lastGroup: ResourceIndexRecord | undefined;

  constructor(
    readonly image: V,
    readonly faults: FaultList,
    readonly pace: Pace,
  ) {}

  /** The formal number that a reference to the dinode at this block must have. */
  abstract formalOf(address: number): number;

  /** Whether a dirent may have this file type when that of its dinode is `wanted`. */
  abstract acceptsDirentType(type: number, wanted: number): boolean;

  /** Compares an inode's block count with what was found, and adds that to what its owners use. */
  abstract checkBlockCount(inode: DinodeBlock, found: number, path: string): void;

  /** Checks what stands in a directory leaf behind the fields that all dialects have. */
  abstract checkLeafFields(leaf: LeafPlace, block: Buffer, path: string): void;

  /** What lies at a block that is in no resource group, when something of the filesystem's own does. */
  protected abstract ownPlace(block: number): string | undefined;

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

  /** Adds blocks to what the owners of an inode use. */
  protected addUse({ dinode }: DinodeBlock, blocks: number): void {
    this.users.set(dinode.uid, (this.users.get(dinode.uid) ?? 0) + blocks);
    this.owningGroups.set(dinode.gid, (this.owningGroups.get(dinode.gid) ?? 0) + blocks);
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
    const own = this.ownPlace(block);
    if (own !== undefined) return own;
    const group = this.lastGroupFrom(block);
    return group !== undefined && block < group.firstData
      ? `the header or bitmap of the resource group at block ${group.address}`
      : 'in no resource group';
  }
}

/** Where a directory leaf stands. */
export interface LeafPlace {
  readonly address: number;
  /** Block of the directory's dinode. */
  readonly directory: number;
  /** How many leaves of its chain stand before it. */
  readonly position: number;
}
