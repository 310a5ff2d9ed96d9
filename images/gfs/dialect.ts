import { BlockState, type BlockStateValue } from './bitmap.js';
import { FileType, type FileTypeName, HEADER_BYTES } from './constants.js';
import { type Geometry, geometryOf } from './geometry.js';
import { openGfsResourceGroup, type ResourceGroupCodec } from './resource-group.js';

/**
 * What differs between the filesystems of the GFS line in the structures they share: bitmaps, dirents, leaves, hash
 * tables and trees of indirect blocks are the same code for each; dinode, superblock and resource-group header have
 * fields of their own and a codec a dialect.
 */
export interface Dialect {
  readonly name: 'opengfs' | 'gfs2';
  /** Bytes before the pointers of an indirect block (§3.8: header and 64 reserved in OpenGFS). */
  readonly indirectHeaderBytes: number;
  /** Bitmap state of a dinode's block. */
  readonly dinodeState: BlockStateValue;
  /** Bitmap state of indirect blocks, leaves and journaled data. */
  readonly metadataState: BlockStateValue;
  /** Codes of the file types in dirents. */
  readonly fileTypes: Readonly<Record<FileTypeName, number>>;
  readonly resourceGroup: ResourceGroupCodec;
}

export const OPENGFS: Dialect = {
  name: 'opengfs',
  indirectHeaderBytes: HEADER_BYTES + 64,
  dinodeState: BlockState.metadata,
  metadataState: BlockState.metadata,
  fileTypes: FileType,
  resourceGroup: openGfsResourceGroup,
};

/** The derived sizes of a filesystem of this dialect and block size. */
export function dialectGeometry(dialect: Dialect, blockSize: number): Geometry {
  return geometryOf(blockSize, dialect.indirectHeaderBytes);
}
