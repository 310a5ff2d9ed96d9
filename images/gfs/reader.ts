import type { ByteSource } from '../bytes/byte-source.js';
import type { Timestamp } from '../tree/node.js';
import type { Dinode } from './dinode.js';
import { GfsFilesystem } from './filesystem.js';
import { GfsImage } from './image.js';
import type { DinodeBlock } from './volume.js';

/** What an OpenGFS image keeps of a Tree: whole seconds, no extended attributes. */
export const OPENGFS_FIDELITY = { nanoseconds: false, xattrs: false } as const;

/** Reads an OpenGFS filesystem as names, attributes and references to contents. */
export class OpenGfsFilesystem extends GfsFilesystem<Dinode, GfsImage> {
  readonly format = 'opengfs';
  readonly fidelity = OPENGFS_FIDELITY;

  /** Throws a DiagnosticError when `device` (the filesystem's own, without a pool label) has no superblock. */
  constructor(device: ByteSource) {
    super(new GfsImage(device));
  }

  protected timeOf({ modificationTime }: Dinode): Timestamp {
    return { seconds: modificationTime, nanoseconds: 0 };
  }

  protected xattrsOf(): undefined {
    return undefined;
  }

  protected unknownType({ dinode, address }: DinodeBlock<Dinode>): Error {
    return this.image.error(address, `a dinode of the unknown type ${dinode.type}`);
  }
}
