import type { ByteSource } from '../../bytes/byte-source.js';
import type { Attributes, Timestamp } from '../../tree/node.js';
import { FULL_FIDELITY } from '../../tree/tree.js';
import { GfsFilesystem } from '../filesystem.js';
import type { DinodeBlock } from '../volume.js';
import { AttributeReader } from './attribute-reader.js';
import type { Gfs2Dinode } from './dinode.js';
import { Gfs2Image } from './image.js';

const NANOSECONDS = 1_000_000_000;

/** Reads a GFS2 filesystem as names, attributes and references to contents. Its own files are not among the names. */
export class Gfs2Filesystem extends GfsFilesystem<Gfs2Dinode, Gfs2Image> {
  readonly format = 'gfs2';
  readonly fidelity = FULL_FIDELITY;
  private readonly attributes: AttributeReader;

  /** Throws a DiagnosticError when `device` has no readable superblock. */
  constructor(device: ByteSource) {
    super(new Gfs2Image(device));
    this.attributes = new AttributeReader(this.image);
  }

  protected timeOf({ number, writeTime }: Gfs2Dinode): Timestamp {
    if (writeTime.nanoseconds >= NANOSECONDS) {
      throw this.image.error(number.address, `a modification time with ${writeTime.nanoseconds} nanoseconds`);
    }
    return writeTime;
  }

  protected xattrsOf(block: DinodeBlock<Gfs2Dinode>): Attributes['xattrs'] {
    return this.attributes.read(block);
  }

  protected unknownType({ address, dinode }: DinodeBlock<Gfs2Dinode>): Error {
    return this.image.error(address, `a dinode of the unknown mode 0${dinode.mode.toString(8)}`);
  }
}
