import { BlockState } from '../bitmap.js';
import { HEADER_BYTES } from '../constants.js';
import type { Dialect } from '../dialect.js';
import { direntTypes } from './constants.js';
import { gfs2ResourceGroup } from './resource-group.js';

/** GFS2 as a dialect (docs/gfs2-format.md §1, §2): only dinodes have a bitmap state of their own. */
export const GFS2: Dialect = {
  name: 'gfs2',
  indirectHeaderBytes: HEADER_BYTES,
  dinodeState: BlockState.metadata,
  metadataState: BlockState.data,
  fileTypes: direntTypes,
  resourceGroup: gfs2ResourceGroup,
};
