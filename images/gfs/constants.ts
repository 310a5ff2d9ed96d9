/** Numbers that OpenGFS and GFS2 share (format document §2, §3). Sizes are bytes. */

export const MAGIC = 0x01161970;
/** The superblock starts here, whatever the block size (§3.3). */
export const SUPERBLOCK_OFFSET = 65536;
/** The unit of sizes in mkfs and pool labels. */
export const SECTOR_BYTES = 512;

export const HEADER_BYTES = 24;
export const DINODE_BYTES = 232;
export const RESOURCE_GROUP_HEADER_BYTES = 128;
export const LEAF_HEADER_BYTES = 104;
export const DIRENT_HEADER_BYTES = 40;
export const JOURNAL_INDEX_RECORD_BYTES = 80;
export const RESOURCE_INDEX_RECORD_BYTES = 96;
export const QUOTA_RECORD_BYTES = 88;
export const LOG_HEADER_BYTES = 128;
/** The second copy of a log header stands here in its block, whatever the block size (§3.12). */
export const LOG_HEADER_COPY_OFFSET = 384;

/** Deepest tree of indirect blocks (§4). */
export const HEIGHT_MAX = 10;
/** Deepest hash table of a directory (§5). */
export const DEPTH_MAX = 17;

/** Types of metadata blocks (§2). */
export const BlockType = {
  superblock: 1,
  resourceGroup: 2,
  resourceGroupBitmap: 3,
  dinode: 4,
  indirect: 5,
  leaf: 6,
  journaledData: 7,
  logHeader: 8,
  logDescriptor: 9,
  extendedAttribute: 10,
  extendedAttributeData: 11,
} as const;
export type BlockTypeName = keyof typeof BlockType;

/** The format number that goes with each block type (§2). */
export const BlockFormat: Record<BlockTypeName, number> = {
  superblock: 100,
  resourceGroup: 200,
  resourceGroupBitmap: 300,
  dinode: 400,
  indirect: 500,
  leaf: 600,
  journaledData: 700,
  logHeader: 800,
  logDescriptor: 900,
  extendedAttribute: 1600,
  extendedAttributeData: 1700,
};

/** What a dinode's data is, when it is not a user's file (§2). */
export const PayloadFormat = {
  none: 0,
  journalIndex: 1000,
  resourceIndex: 1100,
  directory: 1200,
  quota: 1500,
} as const;

/** Dinode flags (§2). */
export const DinodeFlag = {
  journaledData: 0x1,
  hashedDirectory: 0x2,
  unused: 0x4,
  indirectAttributes: 0x8,
} as const;

/** File types in OpenGFS dinodes, and in the dirents of both dialects' historical form (§2). */
export const FileType = {
  file: 1,
  directory: 2,
  symlink: 5,
  block: 7,
  character: 8,
  fifo: 101,
  socket: 102,
} as const;
export type FileTypeName = keyof typeof FileType;

const namesByType = new Map<number, FileTypeName>(
  Object.entries(FileType).map(([name, code]) => [code, name as FileTypeName]),
);

/** The name of a file type code, or undefined when there is no such type. */
export function fileTypeName(code: number): FileTypeName | undefined {
  return namesByType.get(code);
}
