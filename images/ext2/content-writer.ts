import { type ByteString, bytesOf } from '../bytes/byte-string.js';
import type { Pace } from '../bytes/pace.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { imageError } from '../diagnostic.js';
import { dataRuns, RunBuffers } from '../tree/block-runs.js';
import { type DirectoryNode, type FileNode, type SymlinkNode, sizeOf, type TreeNode } from '../tree/node.js';
import { countSubdirectories, sortedNames } from '../tree/tree.js';
import { AttributeBlocks } from './attribute-blocks.js';
import { BlockMapWriter } from './block-map-writer.js';
import type { BlockRange, ContentAllocator } from './content-allocator.js';
import { directoryBlocks } from './directory-writer.js';
import { blockOfDevice, encodeInode, INODE_BLOCK_BYTES } from './inode.js';
import type { InodeTables } from './inode-tables.js';
import type { Ext2Layout } from './layout.js';
import { type Ext2Plan, isFastSymlink } from './plan.js';

const SECTOR_BYTES = 512;

export interface ContentOptions {
  readonly pace: Pace;
  /** Called now and then with the bytes of file data written so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** What an inode says about its content. */
interface Body {
  /** Data or pointers to it. */
  readonly map: Buffer;
  readonly size: number;
  /** Blocks of data and pointers. */
  readonly blocks: number;
}

/** Writes all inodes of a plan with their content: directories, data, long targets, attributes. */
export class ContentWriter {
  /** Bytes of file data written; holes are not. */
  dataBytes = 0;
  private readonly links: ReadonlyMap<TreeNode, number>;
  private readonly buffers: RunBuffers;
  private readonly map: BlockMapWriter;
  private readonly attributes: AttributeBlocks;

  constructor(
    private readonly plan: Ext2Plan,
    private readonly layout: Ext2Layout,
    private readonly sink: ByteSink,
    private readonly allocator: ContentAllocator,
    private readonly tables: InodeTables,
    private readonly options: ContentOptions,
  ) {
    const { blockSize } = layout;
    this.links = plan.tree.linkCounts();
    this.buffers = new RunBuffers(blockSize);
    this.map = new BlockMapWriter(blockSize, {
      allocate: () => this.take(1).address,
      write: (address, block) => this.writeAt(address, block),
    });
    this.attributes = new AttributeBlocks(blockSize, plan.attributeUses, (block) => this.writeBlock(block));
  }

  async writeAll(): Promise<void> {
    for (const [node, number] of this.plan.numbers) {
      const body = await this.bodyOf(node, number);
      const attributeBlock = this.attributes.addressFor(node);
      const blocks = body.blocks + (attributeBlock === 0 ? 0 : 1);
      const { type, mode, uid, gid, mtime } = node;
      const links = type === 'directory' ? 2 + countSubdirectories(node) : (this.links.get(node) ?? 1);
      encodeInode(
        {
          ...{ type, mode, uid, gid, mtime, links, attributeBlock },
          size: body.size,
          sectors: (blocks * this.layout.blockSize) / SECTOR_BYTES,
          block: body.map,
        },
        this.tables.record(number),
      );
      await this.rest();
    }
    this.options.onProgress?.(this.dataBytes);
  }

  private async bodyOf(node: TreeNode, number: number): Promise<Body> {
    switch (node.type) {
      case 'directory':
        return this.writeDirectory(node, number);
      case 'file':
        return this.writeFile(node);
      case 'symlink':
        return this.writeSymlink(node);
      case 'block':
      case 'character':
        return { map: blockOfDevice(node.major, node.minor) ?? NO_BLOCKS, size: 0, blocks: 0 };
      default:
        return { map: NO_BLOCKS, size: 0, blocks: 0 };
    }
  }

  private writeDirectory(directory: DirectoryNode, number: number): Body {
    const { numbers, parents } = this.plan;
    const target = (name: ByteString) => {
      if (name === '.') return { inode: number, type: 'directory' } as const;
      if (name === '..') return { inode: parents.get(directory) ?? number, type: 'directory' } as const;
      const child = directory.entries.get(name) ?? directory;
      return { inode: numbers.get(child) ?? 0, type: child.type };
    };
    this.map.begin();
    let count = 0;
    for (const block of directoryBlocks(sortedNames(directory), this.layout.blockSize, target)) {
      this.map.prepare(count);
      this.map.set(count, this.writeBlock(block), 1);
      count += 1;
    }
    this.map.finish();
    return { map: this.map.map, size: count * this.layout.blockSize, blocks: count + this.map.pointerBlocks };
  }

  private async writeFile(file: FileNode): Promise<Body> {
    const { blockSize } = this.layout;
    this.map.begin();
    let blocks = 0;
    for (const { logical, bytes } of dataRuns(file.content, file.size, this.buffers)) {
      const count = bytes.length / blockSize;
      for (let done = 0; done < count; ) {
        const pointers = this.map.prepare(logical + done);
        const range = this.take(Math.min(count - done, pointers));
        this.map.set(logical + done, range.address, range.count);
        this.writeAt(range.address, bytes.subarray(done * blockSize, (done + range.count) * blockSize));
        done += range.count;
      }
      blocks += count;
      this.dataBytes += bytes.length;
      await this.rest();
    }
    this.map.finish();
    return { map: this.map.map, size: file.size, blocks: blocks + this.map.pointerBlocks };
  }

  private writeSymlink(link: SymlinkNode): Body {
    const map = Buffer.alloc(INODE_BLOCK_BYTES);
    const target = bytesOf(link.target);
    const size = sizeOf(link);
    if (isFastSymlink(link.target)) {
      map.set(target);
      return { map, size, blocks: 0 };
    }
    const block = Buffer.alloc(this.layout.blockSize);
    block.set(target);
    map.writeUInt32LE(this.writeBlock(block), 0);
    return { map, size, blocks: 1 };
  }

  private take(wanted: number): BlockRange {
    const range = this.allocator.take(wanted);
    if (range !== undefined) return range;
    // It was counted before, so this is content that grew since.
    throw imageError(
      { file: this.sink.name },
      'the filesystem is full: its content became larger while it was written',
      'Run it again when nothing changes the files.',
    );
  }

  private writeBlock(block: Buffer): number {
    const { address } = this.take(1);
    this.writeAt(address, block);
    return address;
  }

  private writeAt(address: number, bytes: Uint8Array): void {
    this.sink.write(bytes, address * this.layout.blockSize);
  }

  private async rest(): Promise<void> {
    const { pace, onProgress } = this.options;
    if (!pace.due()) return;
    onProgress?.(this.dataBytes);
    await pace.breathe();
  }
}

const NO_BLOCKS = Buffer.alloc(INODE_BLOCK_BYTES);
