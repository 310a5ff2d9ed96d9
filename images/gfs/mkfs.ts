import type { ByteSink } from '../bytes/sparse-file.js';
import { usageError } from '../diagnostic.js';
import { BlockState, setStateAt } from './bitmap.js';
import { capacityOf, heightFor } from './block-tree.js';
import { BlockTreeWriter } from './block-tree-writer.js';
import { DINODE_BYTES, DinodeFlag, FileType, HEADER_BYTES, PayloadFormat } from './constants.js';
import { dialectGeometry, OPENGFS } from './dialect.js';
import { type Dinode, encodeDinode } from './dinode.js';
import { encodeDirent, hashOfName, minimumRecordBytes } from './dirent.js';
import type { Geometry } from './geometry.js';
import { encodeJournalIndexRecord, encodeLogHeader, LOG_HEADER_CLEAN } from './journal.js';
import { type Layout, type LayoutOptions, planLayout } from './layout.js';
import { writeMetadataHeader } from './metadata-header.js';
import { encodeQuotaRecord } from './quota.js';
import { encodeResourceGroup, encodeResourceIndexRecord } from './resource-group.js';
import { encodeSuperblock, LOCK_NAME_BYTES_MAX } from './superblock.js';

/** What mkfs_gfs takes, without the device. */
export interface MkfsOptions extends Omit<LayoutOptions, 'deviceBytes'> {
  readonly lockProtocol: string;
  readonly lockTable: string;
  /** Seconds since 1970 for all times of the new inodes. */
  readonly time: number;
  /** Superblock numbers (§12): 1309/1401 for today's tools, 1308/1401 as the period had them. */
  readonly filesystemFormat: number;
  readonly multihostFormat: number;
}

export const MKFS_DEFAULTS = {
  blockSize: 4096,
  segmentBlocks: 16,
  journalMiB: 128,
  resourceGroupMiB: 256,
  expert: false,
  filesystemFormat: 1309,
  multihostFormat: 1401,
} as const;

/** Lock protocols that have names a user is likely to mean; others need expert mode (§7, "Mistakes"). */
const knownProtocols = ['memexp', 'nolock', 'stats', 'lock_nolock', 'lock_gulm', 'lock_dlm'];

/** Superblock numbers that readers of the period knew (§12). */
const filesystemFormats = [1305, 1306, 1307, 1308, 1309];
const multihostFormats = [1400, 1401];

/** What was made: for mkfs's report. */
export interface MkfsResult extends Layout {
  /** Blocks taken by the filesystem's own inodes. */
  readonly specialBlocks: number;
}

/**
 * Writes an empty OpenGFS filesystem over all of `device` (§7), byte for byte as the historical tool does with
 * journal sequences from 0. What the device held before is lost, though only metadata blocks are written.
 * Throws a DiagnosticError of kind `usage` before anything is written when the options don't fit.
 */
export function makeFilesystem(device: ByteSink, options: MkfsOptions): MkfsResult {
  checkNames(options);
  const layout = planLayout({ ...options, deviceBytes: device.size });
  const maker = new Maker(device, options, layout);
  maker.write();
  return { ...layout, specialBlocks: maker.used };
}

function checkNames(options: MkfsOptions): void {
  for (const [name, what] of [
    [options.lockProtocol, 'lock protocol (-p)'],
    [options.lockTable, 'lock table (-t)'],
  ] as const) {
    if (name.length > LOCK_NAME_BYTES_MAX || name.includes('\0')) {
      throw usageError(`the ${what} has ${name.length} bytes (at most ${LOCK_NAME_BYTES_MAX})`);
    }
  }
  if (!options.expert && !knownProtocols.includes(options.lockProtocol)) {
    throw usageError(
      `unknown lock protocol "${options.lockProtocol}" (known: ${knownProtocols.join(', ')})`,
      'Expert mode (-X) takes any name.',
    );
  }
  if (
    !filesystemFormats.includes(options.filesystemFormat) ||
    !multihostFormats.includes(options.multihostFormat)
  ) {
    throw usageError(
      `no OpenGFS format: ${options.filesystemFormat}/${options.multihostFormat} (known: ${filesystemFormats.join(', ')} with ${multihostFormats.join(', ')})`,
    );
  }
}

/** Addresses of the filesystem's own inodes: the first blocks of the first resource group (§7, step 8). */
function specialAddresses(firstData: number) {
  return {
    journalIndex: firstData,
    resourceIndex: firstData + 1,
    quota: firstData + 2,
    license: firstData + 3,
    root: firstData + 4,
  } as const;
}

const SPECIAL_INODES = 5;

class Maker {
  /** Blocks of the first resource group that are taken, from its first data block on. */
  used = SPECIAL_INODES;
  private readonly geometry: Geometry;

  constructor(
    private readonly device: ByteSink,
    private readonly options: MkfsOptions,
    private readonly layout: Layout,
  ) {
    this.geometry = dialectGeometry(OPENGFS, options.blockSize);
  }

  write(): void {
    const { layout, geometry } = this;
    const special = specialAddresses(this.firstGroup.firstData);
    // The superblock comes last: until then the device is not a filesystem.
    this.device.write(Buffer.alloc(geometry.superblockBlock * geometry.blockSize), 0);
    this.writeSpecialFile(
      special.journalIndex,
      layout.journals.map(encodeJournalIndexRecord),
      PayloadFormat.journalIndex,
    );
    this.writeSpecialFile(
      special.resourceIndex,
      layout.resourceGroups.map(encodeResourceIndexRecord),
      PayloadFormat.resourceIndex,
    );
    const quota = encodeQuotaRecord({ limit: 0, warn: 0, value: this.used });
    this.writeSpecialFile(special.quota, [quota, quota], PayloadFormat.quota);
    // The historical tool gives the license file the quota's payload number.
    this.writeSpecialFile(special.license, [], PayloadFormat.quota);
    this.writeRoot(special.root);
    this.writeResourceGroups();
    this.writeJournals();
    this.writeSuperblock(special);
  }

  private get firstGroup() {
    return this.layout.resourceGroups[0]!;
  }

  private writeBlock(address: number, block: Buffer): void {
    this.device.write(block, address * this.geometry.blockSize);
  }

  private dinode(address: number, fields: Partial<Dinode>): Dinode {
    const { time } = this.options;
    return {
      number: { formal: address, address },
      mode: 0o600,
      uid: 0,
      gid: 0,
      links: 1,
      size: 0,
      blocks: 1,
      accessTime: time,
      modificationTime: time,
      changeTime: time,
      major: 0,
      minor: 0,
      resourceGroup: 0,
      goalResourceGroup: 0,
      goalDataBlock: 0,
      goalMetadataBlock: 0,
      flags: DinodeFlag.journaledData,
      payloadFormat: PayloadFormat.none,
      type: FileType.file,
      height: 0,
      incarnation: 0,
      depth: 0,
      entries: 0,
      nextUnused: { formal: 0, address: 0 },
      attributes: 0,
      ...fields,
    };
  }

  /** Step 9: a file of the filesystem's own; its data is stuffed only if it is *less* than what fits (step 8). */
  private writeSpecialFile(address: number, records: readonly Buffer[], payloadFormat: number): void {
    const { geometry } = this;
    const data = Buffer.concat(records);
    const block = Buffer.alloc(geometry.blockSize);
    const usedBefore = this.used;
    let height = 0;
    if (data.length < capacityOf(geometry, 0, true)) data.copy(block, DINODE_BYTES);
    else {
      const needed = heightFor(geometry, data.length, true, 1);
      if (needed === undefined)
        throw usageError('an index of the filesystem would be too large', 'Use larger blocks (-b).');
      height = needed;
      this.writeJournaledData(block, height, data);
    }
    const blocks = 1 + this.used - usedBefore;
    encodeDinode(this.dinode(address, { size: data.length, blocks, height, payloadFormat }), block);
    this.writeBlock(address, block);
  }

  private writeJournaledData(dinodeBlock: Buffer, height: number, data: Buffer): void {
    const { geometry } = this;
    const tree = new BlockTreeWriter(geometry, height, dinodeBlock, {
      allocateMetadata: () => this.allocate(),
      writeBlock: (address, block) => this.writeBlock(address, block),
    });
    for (let logical = 0; logical * geometry.journaledBytes < data.length; logical++) {
      tree.prepare(logical);
      const address = this.allocate();
      tree.set(logical, address, 1);
      const block = Buffer.alloc(geometry.blockSize);
      writeMetadataHeader(block, 'journaledData');
      data.copy(
        block,
        HEADER_BYTES,
        logical * geometry.journaledBytes,
        (logical + 1) * geometry.journaledBytes,
      );
      this.writeBlock(address, block);
    }
    tree.finish();
  }

  private allocate(): number {
    const group = this.firstGroup;
    if (this.used >= group.data) {
      throw usageError(
        'the first resource group is too small for the indexes',
        'Use larger resource groups (-r).',
      );
    }
    return group.firstData + this.used++;
  }

  private writeRoot(address: number): void {
    const { geometry } = this;
    const block = Buffer.alloc(geometry.blockSize);
    encodeDinode(
      this.dinode(address, {
        mode: 0o755,
        links: 2,
        size: geometry.stuffedBytes,
        type: FileType.directory,
        payloadFormat: PayloadFormat.directory,
        entries: 2,
      }),
      block,
    );
    const inode = { formal: address, address };
    const first = minimumRecordBytes(1);
    encodeDirent(
      block,
      { inode, hash: hashOfName('.'), type: FileType.directory, name: '.' },
      DINODE_BYTES,
      first,
    );
    encodeDirent(
      block,
      { inode, hash: hashOfName('..'), type: FileType.directory, name: '..' },
      DINODE_BYTES + first,
      geometry.stuffedBytes - first,
    );
    this.writeBlock(address, block);
  }

  private writeResourceGroups(): void {
    for (const [index, group] of this.layout.resourceGroups.entries()) {
      const used = index === 0 ? this.used : 0;
      const bitmap = new Uint8Array(group.bitmapBytes);
      for (let block = 0; block < used; block++) setStateAt(bitmap, block, BlockState.metadata);
      const counters = {
        flags: 0,
        free: group.data - used,
        usedDinodes: index === 0 ? SPECIAL_INODES : 0,
        freeDinodes: 0,
        freeDinodeList: { formal: 0, address: 0 },
        usedMetadata: index === 0 ? used - SPECIAL_INODES : 0,
        freeMetadata: 0,
      };
      const blocks = encodeResourceGroup(this.geometry, group.length, counters, bitmap);
      this.device.write(blocks, group.address * this.geometry.blockSize);
    }
  }

  /** Every segment starts with a clean header; sequences are those of a rotated run, here from 0 (§6). */
  private writeJournals(): void {
    const { blockSize, segmentBlocks } = this.options;
    const block = Buffer.alloc(blockSize);
    for (const journal of this.layout.journals) {
      for (let segment = 0; segment < journal.segments; segment++) {
        const first = journal.address + segment * segmentBlocks;
        const header = { flags: LOG_HEADER_CLEAN, first, sequence: segment, tail: 0, lastDump: 0 };
        encodeLogHeader(header, block);
        this.writeBlock(first, block);
      }
    }
  }

  private writeSuperblock(special: ReturnType<typeof specialAddresses>): void {
    const { options, geometry } = this;
    const number = (address: number) => ({ formal: address, address });
    const block = encodeSuperblock({
      filesystemFormat: options.filesystemFormat,
      multihostFormat: options.multihostFormat,
      flags: 0,
      blockSize: options.blockSize,
      blockSizeShift: Math.log2(options.blockSize),
      segmentBlocks: options.segmentBlocks,
      journalIndex: number(special.journalIndex),
      resourceIndex: number(special.resourceIndex),
      root: number(special.root),
      lockProtocol: options.lockProtocol,
      lockTable: options.lockTable,
      quota: number(special.quota),
      license: number(special.license),
    });
    this.writeBlock(geometry.superblockBlock, block);
  }
}
