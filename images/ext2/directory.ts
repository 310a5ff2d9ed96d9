import { byteString, textFromByteString } from '../bytes/byte-string.js';
import type { FilesystemEntry } from '../tree/filesystem.js';
import { faultOfName } from '../tree/name.js';
import type { Ext2Inode } from './inode.js';
import type { Ext2Volume } from './volume.js';

const ENTRY_HEADER_BYTES = 8;
/** A record may fill a 64 KiB block, whose length its 16-bit field can't hold: these values stand for it. */
const WHOLE_BLOCK_LENGTHS = [0, 65535];

/** Collects the names of one directory from its areas of records, and refuses what no directory can have. */
export class DirectoryCollector {
  readonly entries: FilesystemEntry[] = [];
  private readonly names = new Set<string>();

  constructor(
    private readonly volume: Ext2Volume,
    private readonly directory: Ext2Inode,
  ) {}

  /**
   * Reads the records of one block. Index blocks of hashed directories look like one empty record, so a plain scan
   * sees every name. `where` says which area it is, for messages.
   */
  readArea(area: Buffer, where: string): void {
    for (let offset = 0; offset + ENTRY_HEADER_BYTES <= area.length; ) {
      const inode = area.readUInt32LE(offset);
      const recordBytes = this.recordBytes(area, offset);
      // One byte: the byte above it is the file type, or 0 where the feature is missing.
      const nameBytes = area.readUInt8(offset + 6);
      if (recordBytes < ENTRY_HEADER_BYTES || recordBytes % 4 !== 0 || offset + recordBytes > area.length) {
        throw this.fail(`a record of ${recordBytes} bytes at byte ${offset} of ${where}`);
      }
      if (inode !== 0) {
        if (ENTRY_HEADER_BYTES + nameBytes > recordBytes)
          throw this.fail(`a name of ${nameBytes} bytes in a record of ${recordBytes}, in ${where}`);
        this.add(
          byteString(area.subarray(offset + ENTRY_HEADER_BYTES, offset + ENTRY_HEADER_BYTES + nameBytes)),
          inode,
        );
      }
      offset += recordBytes;
    }
  }

  private recordBytes(area: Buffer, offset: number): number {
    const value = area.readUInt16LE(offset + 4);
    const { blockSize } = this.volume.superblock;
    if (blockSize < 65536) return value;
    return WHOLE_BLOCK_LENGTHS.includes(value) ? blockSize : (value & 65532) | ((value & 3) << 16);
  }

  private add(name: string, inode: number): void {
    if (name === '.' || name === '..') return;
    const fault = faultOfName(name);
    if (fault !== undefined) throw this.fail(`${fault} in a directory`);
    if (this.names.has(name))
      throw this.fail(`the name "${textFromByteString(name)}" stands twice in a directory`);
    this.names.add(name);
    this.entries.push({ name, inode });
  }

  private fail(message: string): Error {
    return this.volume.inodeError(this.directory.number, message);
  }
}
