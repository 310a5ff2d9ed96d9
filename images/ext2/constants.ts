/** Numbers of the ext2/3/4 on-disk format, from the kernel's documentation (filesystems/ext4). Sizes are bytes. */

export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;
export const MAGIC = 0xef53;
export const ROOT_INODE = 2;

/** Features that a reader must know to read at all. */
export const Incompatible: Readonly<Record<string, number>> = {
  compression: 0x1,
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  '64bit': 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
};

/** Of those, the ones that make an image unreadable here. */
export const UNREADABLE_FEATURES = ['compression', 'journal_dev', 'dirdata', 'encrypt'] as const;

export const Compatible: Readonly<Record<string, number>> = {
  dir_prealloc: 0x1,
  imagic_inodes: 0x2,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
};

export const ReadOnlyCompatible: Readonly<Record<string, number>> = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  huge_file: 0x8,
  gdt_csum: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  replica: 0x800,
  readonly: 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
};

export const InodeFlag = { extents: 0x80000, attributeInode: 0x200000, inlineData: 0x10000000 } as const;

/** File types in the upper bits of an inode's mode. */
export const ModeType = {
  fifo: 0x1000,
  character: 0x2000,
  directory: 0x4000,
  block: 0x6000,
  file: 0x8000,
  symlink: 0xa000,
  socket: 0xc000,
} as const;
export const MODE_TYPE_MASK = 0xf000;
