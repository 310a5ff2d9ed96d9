import type { Pace } from '../bytes/pace.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { dataRuns, RunBuffers } from '../tree/block-runs.js';
import {
  type DirectoryNode,
  type FileNode,
  type LeafNode,
  type NodeType,
  sizeOf,
  type TreeNode,
} from '../tree/node.js';
import { countSubdirectories, sortedNames, type Tree } from '../tree/tree.js';
import type { Allocator, NewDinodeBlock } from './allocator.js';
import { heightFor } from './block-tree.js';
import { BlockTreeWriter, type MetadataBlocks } from './block-tree-writer.js';
import { DINODE_BYTES, PayloadFormat } from './constants.js';
import { planDirectory } from './directory-plan.js';
import { type DirectoryTarget, DirectoryWriter, type LeafFields } from './directory-writer.js';
import type { InodeNumber } from './inode-number.js';
import type { GfsVolume } from './volume.js';

export interface PopulateOptions {
  readonly pace: Pace;
  /** Called now and then with the bytes of file data written so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** Extended attributes that were written. */
export interface WrittenAttributes {
  /** What the dinode points at; 0 where there are none. */
  readonly address: number;
  readonly blocks: number;
  /** Dinode flags that go with them. */
  readonly flags: number;
}

/** All that a new dinode says; how it says it is the dialect's. */
export interface NewInode {
  readonly node: TreeNode;
  readonly number: InodeNumber;
  /** Where its block lies; undefined for the root, whose block mkfs chose. */
  readonly place: NewDinodeBlock | undefined;
  readonly links: number;
  readonly size: number;
  readonly height: number;
  readonly depth: number;
  readonly entries: number;
  readonly flags: number;
  readonly payloadFormat: number;
  /** The dinode's own and all others. */
  readonly blocks: number;
  readonly attributes: number;
  /** The last block that its data took, its own when it took none. */
  readonly lastBlock: number;
}

/** What of writing inodes differs between the dialects. */
export interface InodeFormat {
  /** The number for a new inode whose dinode lies there. */
  numberAt(place: NewDinodeBlock): InodeNumber;
  /** The file type in a dirent for this kind of file. */
  direntType(type: NodeType): number;
  /** Writes header and dinode to the start of `block`. */
  encode(inode: NewInode, block: Buffer): void;
  writeAttributes(node: TreeNode, blocks: MetadataBlocks): WrittenAttributes;
  /** What a directory's leaves have besides the fields of all dialects. */
  leafFields(directory: DirectoryNode, address: number): LeafFields;
}

/** A directory whose children are being written. */
interface OpenDirectory {
  readonly node: DirectoryNode;
  readonly number: InodeNumber;
  readonly place: NewDinodeBlock | undefined;
  readonly parent: DirectoryTarget;
  readonly attributes: WrittenAttributes;
  readonly writer: DirectoryWriter;
  readonly names: readonly string[];
  readonly targets: Map<string, DirectoryTarget>;
  next: number;
}

/** Writes the names, attributes and contents of a Tree to free blocks of a filesystem. */
export class TreeWriter {
  inodes = 0;
  dataBytes = 0;
  /** Blocks by owner and by owning group, the root's included. */
  readonly users = new Map<number, number>();
  readonly groups = new Map<number, number>();
  /** For further files of the filesystem's own. */
  readonly blocks: MetadataBlocks;
  private root: Buffer | undefined;
  private readonly linkCounts: ReadonlyMap<TreeNode, number>;
  /** Where a file with several names was written at its first. */
  private readonly written = new Map<TreeNode, DirectoryTarget>();
  private readonly buffers: RunBuffers;
  /** For the dinode that is being made; the sink takes a copy. */
  private readonly leafBlock: Buffer;

  constructor(
    private readonly image: GfsVolume,
    private readonly allocator: Allocator,
    private readonly sink: ByteSink,
    private readonly tree: Tree,
    private readonly format: InodeFormat,
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

  /** The root's dinode, which is in use already and makes all the rest part of the filesystem: to be written last. */
  get rootBlock(): Buffer {
    if (this.root === undefined) throw new Error('the tree is not written yet');
    return this.root;
  }

  /** Writes everything but the root's dinode, depth first, so that blocks lie in the order of the names. */
  async write(root: InodeNumber): Promise<void> {
    const { pace } = this.options;
    const stack = [this.openDirectory(this.tree.root, root, undefined, this.target(root, this.tree.root))];
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
        const place = this.allocator.allocateDinode();
        const number = this.format.numberAt(place);
        top.targets.set(name, this.target(number, child));
        stack.push(this.openDirectory(child, number, place, this.target(top.number, top.node)));
      } else {
        top.targets.set(name, this.written.get(child) ?? (await this.writeLeaf(child)));
      }
    }
    this.options.onProgress?.(this.dataBytes);
  }

  private writeBlock(address: number, block: Uint8Array): void {
    this.sink.write(block, address * this.image.geometry.blockSize);
  }

  private openDirectory(
    node: DirectoryNode,
    number: InodeNumber,
    place: NewDinodeBlock | undefined,
    parent: DirectoryTarget,
  ): OpenDirectory {
    const { geometry } = this.image;
    const names = sortedNames(node);
    const attributes = this.format.writeAttributes(node, this.blocks);
    const leafFields = this.format.leafFields(node, number.address);
    const writer = new DirectoryWriter(geometry, planDirectory(geometry, names), this.blocks, leafFields);
    return { node, number, place, parent, attributes, writer, names, targets: new Map(), next: 0 };
  }

  private closeDirectory(directory: OpenDirectory): void {
    const { node, number, place, parent, attributes, writer, targets } = directory;
    targets.set('.', this.target(number, node));
    targets.set('..', parent);
    const block = Buffer.alloc(this.image.geometry.blockSize);
    const { blocks: ownBlocks, flags, ...shape } = writer.write(block, (name) => targets.get(name)!);
    const blocks = 1 + ownBlocks + attributes.blocks;
    this.format.encode(
      {
        ...shape,
        node,
        number,
        place,
        links: 2 + countSubdirectories(node),
        flags: flags | attributes.flags,
        blocks,
        attributes: attributes.address,
        lastBlock: number.address,
      },
      block,
    );
    this.account(node, blocks);
    if (place === undefined) this.root = block;
    else this.writeBlock(number.address, block);
  }

  private async writeLeaf(node: LeafNode): Promise<DirectoryTarget> {
    const place = this.allocator.allocateDinode();
    const number = this.format.numberAt(place);
    const attributes = this.format.writeAttributes(node, this.blocks);
    const block = this.leafBlock.fill(0);
    const links = this.linkCounts.get(node) ?? 1;
    let data: FileData = { height: 0, blocks: 0, lastBlock: place.address };
    if (node.type === 'symlink') block.write(node.target, DINODE_BYTES, 'latin1');
    if (node.type === 'file') data = await this.writeFile(node, block, place.address);
    const blocks = 1 + data.blocks + attributes.blocks;
    this.format.encode(
      {
        node,
        number,
        place,
        links,
        size: sizeOf(node),
        height: data.height,
        depth: 0,
        entries: 0,
        flags: attributes.flags,
        payloadFormat: PayloadFormat.none,
        blocks,
        attributes: attributes.address,
        lastBlock: data.lastBlock,
      },
      block,
    );
    this.writeBlock(place.address, block);
    this.account(node, blocks);
    const result = this.target(number, node);
    if (links > 1) this.written.set(node, result);
    return result;
  }

  /** Writes a file's data; `dinodeBlock` gets the data itself or the pointers to it. */
  private async writeFile(file: FileNode, dinodeBlock: Buffer, address: number): Promise<FileData> {
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
      return { height, blocks: 0, lastBlock: address };
    }
    let blocks = 0;
    let lastBlock = address;
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
        lastBlock = range.address + range.count - 1;
      }
      blocks += count;
      this.dataBytes += bytes.length;
      if (pace.due()) {
        this.options.onProgress?.(this.dataBytes);
        await pace.breathe();
      }
    }
    tree.finish();
    return { height, blocks, lastBlock };
  }

  private target(inode: InodeNumber, node: TreeNode): DirectoryTarget {
    return { inode, type: this.format.direntType(node.type) };
  }

  private account(node: TreeNode, blocks: number): void {
    this.inodes += 1;
    this.users.set(node.uid, (this.users.get(node.uid) ?? 0) + blocks);
    this.groups.set(node.gid, (this.groups.get(node.gid) ?? 0) + blocks);
  }
}

/** Where a file's data went. */
interface FileData {
  readonly height: number;
  /** Data and indirect blocks. */
  readonly blocks: number;
  readonly lastBlock: number;
}
