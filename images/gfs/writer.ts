import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { imageError } from '../diagnostic.js';
import { type DirectoryNode, type FileNode, type LeafNode, sizeOf, type TreeNode } from '../tree/node.js';
import { countSubdirectories, sortedNames, type Tree } from '../tree/tree.js';
import { Allocator } from './allocator.js';
import { dataRuns, RunBuffers } from './block-runs.js';
import { heightFor } from './block-tree.js';
import { BlockTreeWriter, type MetadataBlocks } from './block-tree-writer.js';
import { DINODE_BYTES, FileType, PayloadFormat } from './constants.js';
import { type Dinode, encodeDinode } from './dinode.js';
import { planDirectory } from './directory-plan.js';
import { type DirectoryTarget, DirectoryWriter } from './directory-writer.js';
import { GfsImage } from './image.js';
import { quotaShape, writeQuota } from './quota-writer.js';
import type { ResourceIndexRecord } from './resource-group.js';
import { countBlocks } from './space.js';
import { type Excluded, excludedFrom } from './suitability.js';

/** A device that is open for reading and for writing in place. */
export interface Device {
  readonly source: ByteSource;
  readonly sink: ByteSink;
}

export interface PopulateOptions {
  readonly pace: Pace;
  /** Called now and then with the bytes of file data written so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface PopulateResult {
  /** Dinodes made. */
  readonly inodes: number;
  /** Bytes of file data written; holes are not. */
  readonly dataBytes: number;
  /** Blocks in use now, the filesystem's own included. */
  readonly blocks: number;
  /** What of the Tree this filesystem can't hold. */
  readonly notKept: readonly Excluded[];
}

/**
 * Fills an empty OpenGFS filesystem with a Tree: owners, modes, times, links, holes and device numbers as they are.
 * Each file is streamed once. Throws a DiagnosticError before anything is written when the filesystem is not empty
 * or too small (it says by how much), or when the Tree has something that no OpenGFS can hold.
 *
 * Until the last moment only free blocks are written: an error or an abort leaves an empty filesystem, as before.
 */
export async function populate(
  device: Device,
  tree: Tree,
  options: PopulateOptions,
): Promise<PopulateResult> {
  const image = new GfsImage(device.source);
  const allocator = new Allocator(image);
  checkEmpty(image, allocator);
  const notKept = excludedFrom(image, tree);
  await checkSpace(image, allocator, tree, options.pace);
  const populator = new Populator(image, allocator, device.sink, tree, options);
  await populator.writeTree();
  new Commit(image, device).write(populator.finish());
  return { inodes: populator.inodes, dataBytes: populator.dataBytes, blocks: allocator.usedBlocks, notKept };
}

function checkEmpty(image: GfsImage, allocator: Allocator): void {
  const root = image.readDinode(image.superblock.root.address, 'the superblock').dinode;
  if (root.type === FileType.directory && root.entries === 2 && allocator.usedDinodes === 5) return;
  throw imageError(
    { file: image.name },
    `the filesystem is not empty: it has ${allocator.usedDinodes} inodes (5 when new)`,
    'Make a new one with mkfs_gfs.',
  );
}

async function checkSpace(image: GfsImage, allocator: Allocator, tree: Tree, pace: Pace): Promise<void> {
  const { geometry } = image;
  const free = allocator.freeBlocks;
  const nodes = [tree.root, ...tree.nodes().keys()];
  const quota = quotaShape(
    geometry,
    nodes.map(({ uid }) => uid),
    nodes.map(({ gid }) => gid),
  ).blocks;
  if ((await countBlocks(geometry, tree, false, pace)) + quota <= free) return;
  // What the sources store does not fit; blocks of zeros among it need no room.
  const needed = (await countBlocks(geometry, tree, true, pace)) + quota;
  if (needed <= free) return;
  const mebibytes = (blocks: number): string => ((blocks * geometry.blockSize) / 1024 ** 2).toFixed(1);
  throw imageError(
    { file: image.name },
    `the content needs ${needed} blocks of ${geometry.blockSize} bytes (${mebibytes(needed)} MiB), but only ${free} (${mebibytes(free)} MiB) are free`,
    `Make the image at least ${Math.ceil(((needed - free) * geometry.blockSize) / 1024 ** 2)} MiB larger.`,
  );
}

/** A directory whose children are being written. */
interface OpenDirectory {
  readonly node: DirectoryNode;
  readonly address: number;
  readonly group: ResourceIndexRecord | undefined;
  readonly parent: number;
  readonly writer: DirectoryWriter;
  readonly names: readonly string[];
  readonly targets: Map<string, DirectoryTarget>;
  next: number;
}

class Populator {
  inodes = 0;
  dataBytes = 0;
  private readonly linkCounts: ReadonlyMap<TreeNode, number>;
  /** Where a file with several names was written at its first. */
  private readonly written = new Map<TreeNode, DirectoryTarget>();
  private readonly users = new Map<number, number>();
  private readonly groups = new Map<number, number>();
  private readonly blocks: MetadataBlocks;
  private readonly buffers: RunBuffers;
  /** For the dinode that is being made; the sink takes a copy. */
  private readonly leafBlock: Buffer;
  private rootBlock: Buffer | undefined;

  constructor(
    private readonly image: GfsImage,
    private readonly allocator: Allocator,
    private readonly sink: ByteSink,
    private readonly tree: Tree,
    private readonly options: PopulateOptions,
  ) {
    this.linkCounts = tree.linkCounts();
    this.buffers = new RunBuffers(image.geometry.blockSize);
    this.leafBlock = Buffer.alloc(image.geometry.blockSize);
    this.blocks = {
      allocateMetadata: () => allocator.allocateMetadata(),
      writeBlock: (address, block) => this.writeBlock(address, block),
    };
  }

  /** Writes everything but the root's dinode, depth first, so that blocks lie in the order of the names. */
  async writeTree(): Promise<void> {
    const { pace } = this.options;
    const root = this.image.superblock.root.address;
    const stack = [this.openDirectory(this.tree.root, root, undefined, root)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (pace.due()) {
        this.options.onProgress?.(this.dataBytes);
        await pace.breathe();
      }
      const name = top.names[top.next++];
      if (name === undefined) {
        this.closeDirectory(top);
        stack.pop();
        continue;
      }
      const child = top.node.entries.get(name)!;
      if (child.type === 'directory') {
        const { address, group } = this.allocator.allocateDinode();
        top.targets.set(name, target(address, child));
        stack.push(this.openDirectory(child, address, group, top.address));
      } else {
        top.targets.set(name, this.written.get(child) ?? (await this.writeLeaf(child)));
      }
    }
    this.options.onProgress?.(this.dataBytes);
  }

  /** The blocks that make the new content part of the filesystem: quota, bitmaps and last the root. */
  finish(): CommitBlocks {
    const { image } = this;
    const quotaAddress = image.superblock.quota.address;
    const quota = image.readDinode(quotaAddress, 'the superblock');
    // What the filesystem's own inodes take belongs to user and group 0.
    const initial = this.initialUsage();
    const shape = quotaShape(image.geometry, this.users.keys(), this.groups.keys());
    for (const usage of [this.users, this.groups]) usage.set(0, (usage.get(0) ?? 0) + initial + shape.blocks);
    const block = Buffer.alloc(image.geometry.blockSize);
    writeQuota(image.geometry, shape, this.users, this.groups, block, this.blocks);
    encodeDinode(
      { ...quota.dinode, size: shape.size, height: shape.height, blocks: 1 + shape.blocks },
      block,
    );
    const groups = [...this.allocator.groupsToWrite()].map(({ address, blocks }) => ({
      address,
      bytes: blocks,
    }));
    return [
      { address: quotaAddress, bytes: block },
      ...groups,
      { address: image.superblock.root.address, bytes: this.rootBlock! },
    ];
  }

  private initialUsage(): number {
    const { journalIndex, resourceIndex, license, quota } = this.image.superblock;
    return [journalIndex, resourceIndex, license, quota]
      .map(({ address }) => this.image.readDinode(address, 'the superblock').dinode.blocks)
      .reduce((sum, blocks) => sum + blocks, 0);
  }

  private writeBlock(address: number, block: Uint8Array): void {
    this.sink.write(block, address * this.image.geometry.blockSize);
  }

  private openDirectory(
    node: DirectoryNode,
    address: number,
    group: ResourceIndexRecord | undefined,
    parent: number,
  ): OpenDirectory {
    const names = sortedNames(node);
    const writer = new DirectoryWriter(
      this.image.geometry,
      planDirectory(this.image.geometry, names),
      this.blocks,
    );
    return { node, address, group, parent, writer, names, targets: new Map(), next: 0 };
  }

  private closeDirectory(directory: OpenDirectory): void {
    const { node, address, group, parent, writer, targets } = directory;
    targets.set('.', target(address, node));
    targets.set('..', target(parent, node));
    const block = Buffer.alloc(this.image.geometry.blockSize);
    const { blocks, ...shape } = writer.write(block, (name) => targets.get(name)!);
    const links = 2 + countSubdirectories(node);
    encodeDinode({ ...this.dinode(node, address, group), ...shape, links, blocks: 1 + blocks }, block);
    this.account(node, 1 + blocks);
    // The root's dinode is in use already: it is written last of all.
    if (address === this.image.superblock.root.address) this.rootBlock = block;
    else this.writeBlock(address, block);
  }

  private async writeLeaf(node: LeafNode): Promise<DirectoryTarget> {
    const { address, group } = this.allocator.allocateDinode();
    const block = this.leafBlock.fill(0);
    const links = this.linkCounts.get(node) ?? 1;
    let height = 0;
    let blocks = 1;
    if (node.type === 'symlink') block.write(node.target, DINODE_BYTES, 'latin1');
    if (node.type === 'file') ({ height, blocks } = await this.writeFile(node, block));
    const dinode = this.dinode(node, address, group);
    encodeDinode({ ...dinode, links, size: sizeOf(node), height, blocks }, block);
    this.writeBlock(address, block);
    this.account(node, blocks);
    const result = target(address, node);
    if (links > 1) this.written.set(node, result);
    return result;
  }

  /** Writes a file's data; `dinodeBlock` gets the data itself or the pointers to it. */
  private async writeFile(file: FileNode, dinodeBlock: Buffer): Promise<{ height: number; blocks: number }> {
    const { geometry } = this.image;
    const { blockSize } = geometry;
    const height = heightFor(geometry, file.size, false) ?? 0;
    const { pace } = this.options;
    if (height === 0) {
      for (const { logical, bytes } of dataRuns(file.content, file.size, this.buffers)) {
        dinodeBlock.set(
          bytes.subarray(0, file.size - logical * blockSize),
          DINODE_BYTES + logical * blockSize,
        );
      }
      this.dataBytes += file.size;
      return { height, blocks: 1 };
    }
    let blocks = 1;
    const tree = new BlockTreeWriter(geometry, height, dinodeBlock, {
      allocateMetadata: () => {
        blocks += 1;
        return this.blocks.allocateMetadata();
      },
      writeBlock: this.blocks.writeBlock,
    });
    for (const { logical, bytes } of dataRuns(file.content, file.size, this.buffers)) {
      const count = bytes.length / blockSize;
      for (let done = 0; done < count; ) {
        const pointers = tree.prepare(logical + done);
        const range = this.allocator.allocateData(Math.min(count - done, pointers));
        tree.set(logical + done, range.address, range.count);
        this.writeBlock(range.address, bytes.subarray(done * blockSize, (done + range.count) * blockSize));
        done += range.count;
      }
      blocks += count;
      this.dataBytes += bytes.length;
      if (pace.due()) {
        this.options.onProgress?.(this.dataBytes);
        await pace.breathe();
      }
    }
    tree.finish();
    return { height, blocks };
  }

  private account(node: TreeNode, blocks: number): void {
    this.inodes += 1;
    this.users.set(node.uid, (this.users.get(node.uid) ?? 0) + blocks);
    this.groups.set(node.gid, (this.groups.get(node.gid) ?? 0) + blocks);
  }

  /** What all dinodes have in common (§3.7); the rest is the caller's. */
  private dinode(node: TreeNode, address: number, group: ResourceIndexRecord | undefined): Dinode {
    const device = node.type === 'block' || node.type === 'character' ? node : { major: 0, minor: 0 };
    const groupAddress = group?.address ?? 0;
    const goal = group === undefined ? 0 : address - group.firstData;
    return {
      number: { formal: address, address },
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      links: 1,
      size: 0,
      blocks: 1,
      accessTime: node.mtime.seconds,
      modificationTime: node.mtime.seconds,
      changeTime: node.mtime.seconds,
      major: device.major,
      minor: device.minor,
      resourceGroup: groupAddress,
      goalResourceGroup: groupAddress,
      goalDataBlock: goal,
      goalMetadataBlock: goal,
      flags: 0,
      payloadFormat: PayloadFormat.none,
      type: FileType[node.type],
      height: 0,
      incarnation: 0,
      depth: 0,
      entries: 0,
      nextUnused: { formal: 0, address: 0 },
      attributes: 0,
    };
  }
}

function target(address: number, node: TreeNode): DirectoryTarget {
  return { inode: { formal: address, address }, type: FileType[node.type] };
}

type CommitBlocks = readonly { readonly address: number; readonly bytes: Buffer }[];

/** Writes over blocks that are in use, all or none: what they held before is put back when one can't be written. */
class Commit {
  constructor(
    private readonly image: GfsImage,
    private readonly device: Device,
  ) {}

  write(blocks: CommitBlocks): void {
    const { blockSize } = this.image.geometry;
    const { source, sink } = this.device;
    sink.flush();
    const before = blocks.map(({ address, bytes }) => ({
      address,
      bytes: readBytes(source, address * blockSize, bytes.length),
    }));
    try {
      this.put(blocks);
    } catch (cause) {
      try {
        this.put(before);
      } catch {
        throw imageError(
          { file: this.image.name },
          'writing failed in the last step, and so did putting back what was there',
          'Make the filesystem anew with mkfs_gfs.',
        );
      }
      throw cause;
    }
  }

  private put(blocks: CommitBlocks): void {
    const { sink } = this.device;
    for (const { address, bytes } of blocks) sink.write(bytes, address * this.image.geometry.blockSize);
    sink.flush();
  }
}
