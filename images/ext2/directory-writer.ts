import type { ByteString } from '../bytes/byte-string.js';
import type { NodeType } from '../tree/node.js';

const ENTRY_HEADER_BYTES = 8;

/** Type of file in a directory entry (feature `filetype`). */
const entryTypes: Readonly<Record<NodeType, number>> = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

/** What a name stands for. */
export interface EntryTarget {
  readonly inode: number;
  readonly type: NodeType;
}

/** Bytes of an entry with a name: records start at multiples of four. */
function entryBytes(name: ByteString): number {
  return ENTRY_HEADER_BYTES + Math.ceil(name.length / 4) * 4;
}

/** The names of each block of a directory, in their order, `.` and `..` first. */
function* namesByBlock(names: Iterable<ByteString>, blockSize: number): Generator<ByteString[]> {
  let block = ['.', '..'];
  let used = block.reduce((sum, name) => sum + entryBytes(name), 0);
  for (const name of names) {
    const bytes = entryBytes(name);
    if (used + bytes > blockSize) {
      yield block;
      [block, used] = [[], 0];
    }
    block.push(name);
    used += bytes;
  }
  yield block;
}

/** How many blocks a directory with these names, in this order, has. */
export function countDirectoryBlocks(names: Iterable<ByteString>, blockSize: number): number {
  let count = 0;
  for (const _ of namesByBlock(names, blockSize)) count += 1;
  return count;
}

/** The blocks of a directory, not indexed. `target` is asked for `.` and `..` too. A block is valid until the next. */
export function* directoryBlocks(
  names: Iterable<ByteString>,
  blockSize: number,
  target: (name: ByteString) => EntryTarget,
): Generator<Buffer> {
  const block = Buffer.alloc(blockSize);
  for (const inBlock of namesByBlock(names, blockSize)) {
    block.fill(0);
    let offset = 0;
    for (const [index, name] of inBlock.entries()) {
      const { inode, type } = target(name);
      // The last record reaches to the end of the block.
      const bytes = index === inBlock.length - 1 ? blockSize - offset : entryBytes(name);
      block.writeUInt32LE(inode, offset);
      block.writeUInt16LE(bytes, offset + 4);
      block.writeUInt8(name.length, offset + 6);
      block.writeUInt8(entryTypes[type], offset + 7);
      block.write(name, offset + ENTRY_HEADER_BYTES, 'latin1');
      offset += bytes;
    }
    yield block;
  }
}
