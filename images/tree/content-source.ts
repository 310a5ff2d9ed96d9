import { type ByteSource, checkRange, FileSource, MemorySource } from '../bytes/byte-source.js';
import { imageError } from '../diagnostic.js';
import type { Content } from './content.js';
import type { FileNode } from './node.js';

/**
 * A file of a Tree to be read anywhere, not only from front to back: for formats inside files. `name` is what messages
 * call it. The caller closes it. Throws a DiagnosticError when it can't be opened, or changed since it was listed.
 */
export function openContent({ content, size }: FileNode, name: string): ByteSource {
  switch (content.kind) {
    case 'inline':
      return new MemorySource(content.bytes, name);
    case 'extents':
      return new ExtentsSource(content, size, name);
    case 'host-file': {
      const source = new FileSource(content.path, name);
      if (source.size === size) return source;
      source.close();
      throw imageError(
        { file: name },
        `the file had ${size} bytes when it was listed and has ${source.size} now`,
        'Something is writing it: stop that and run it again.',
      );
    }
  }
}

/** The parts of a source that a file lies in; what is between them reads as zeros. */
class ExtentsSource implements ByteSource {
  constructor(
    private readonly content: Content & { readonly kind: 'extents' },
    readonly size: number,
    readonly name: string,
  ) {}

  readInto(target: Uint8Array, offset: number): void {
    checkRange(this, offset, target.length);
    target.fill(0);
    const end = offset + target.length;
    for (const extent of this.content.extents()) {
      if (extent.offset >= end) break;
      const from = Math.max(offset, extent.offset);
      const to = Math.min(end, extent.offset + extent.length);
      if (from >= to) continue;
      const position = extent.position + from - extent.offset;
      this.content.source.readInto(target.subarray(from - offset, to - offset), position);
    }
  }

  /** The source belongs to the Tree. */
  close(): void {}
}
