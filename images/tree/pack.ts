import { createHash } from 'node:crypto';
import type { ByteSource } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { SparseStream } from '../bytes/sparse-stream.js';
import { isZero } from '../bytes/zeros.js';
import { EMPTY_CONTENT, type Extent, PIECE_BYTES, piecesOf, readContent } from './content.js';
import type { FileNode, LeafNode, TreeNode } from './node.js';
import type { Tree } from './tree.js';
import { TreeBuilder } from './tree-builder.js';

/** Contents up to this length stay in the Tree: saying where they lie would take as much. */
const INLINE_BYTES_MAX = 64;
/** Zeros are left out in blocks of this size. */
const HOLE_BYTES = 4096;

/** What was packed: the caller opens the file, then asks for the Tree that refers to it. */
export interface Pack {
  /** SHA-256 of the packed file. */
  readonly sha256: string;
  /** Its length in bytes; 0 when there was nothing to pack. */
  readonly size: number;
  /** The same Tree with contents in `source`, which has the packed file's bytes. */
  tree(source: ByteSource): Tree;
}

/** Where a file's content went: into the Tree, or into these places of the pack. */
type Place = Uint8Array | readonly Extent[];

/**
 * Copies the contents of a Tree that lie in files on the host, in memory, or in a source that does not last, into one
 * new file at `path`, so that the Tree outlives them. Blocks of zeros are left out and become holes of the Tree's
 * files. Throws a DiagnosticError when a file changed since it was listed, or can't be copied; nothing stays then.
 */
export async function packContents(
  tree: Tree,
  path: string,
  lasts: (source: ByteSource) => boolean,
  pace: Pace,
): Promise<Pack> {
  const writer = new PackWriter(path);
  const places = new Map<FileNode, Place>();
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  try {
    for (const { node } of tree.entries()) {
      if (pace.due()) await pace.breathe();
      if (node.type !== 'file' || places.has(node) || !isToPack(node, lasts)) continue;
      if (node.size <= INLINE_BYTES_MAX) {
        places.set(node, readContent(node.content, node.size));
        continue;
      }
      writer.begin();
      for (const { offset, bytes } of piecesOf(node.content, node.size, buffer)) {
        writer.append(bytes, offset);
        if (pace.due()) await pace.breathe();
      }
      places.set(node, writer.extents);
    }
    const { sha256, size } = writer.close();
    return { sha256, size, tree: (source) => packed(tree, places, source) };
  } catch (error) {
    writer.discard();
    throw error;
  }
}

function isToPack({ content }: FileNode, lasts: (source: ByteSource) => boolean): boolean {
  switch (content.kind) {
    case 'inline':
      return content.bytes.length > INLINE_BYTES_MAX;
    case 'extents':
      return !lasts(content.source);
    case 'host-file':
      return true;
  }
}

/** Writes the data of files one behind the other. */
class PackWriter {
  /** Where the data of the file at hand lies. */
  extents: Extent[] = [];
  private readonly stream: SparseStream;
  private readonly hash = createHash('sha256');
  /** Most files are small: they are gathered before they are written. */
  private readonly gathered = Buffer.allocUnsafe(PIECE_BYTES);
  private filled = 0;
  private size = 0;

  constructor(path: string) {
    this.stream = new SparseStream(path);
  }

  begin(): void {
    this.extents = [];
  }

  /** Adds a piece of the file at hand, without its blocks of zeros. */
  append(bytes: Uint8Array, offset: number): void {
    let start = 0;
    for (let position = 0; position < bytes.length; ) {
      const end = Math.min(bytes.length, position + HOLE_BYTES - ((offset + position) % HOLE_BYTES));
      if (isZero(bytes, position, end)) {
        this.data(bytes.subarray(start, position), offset + start);
        start = end;
      }
      position = end;
    }
    this.data(bytes.subarray(start), offset + start);
  }

  close(): { sha256: string; size: number } {
    this.flush();
    this.stream.close();
    return { sha256: this.hash.digest('hex'), size: this.size };
  }

  discard(): void {
    this.stream.discard();
  }

  private data(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return;
    const last = this.extents.at(-1);
    if (last !== undefined && last.offset + last.length === offset)
      this.extents[this.extents.length - 1] = { ...last, length: last.length + bytes.length };
    else this.extents.push({ offset, position: this.size, length: bytes.length });
    this.size += bytes.length;
    if (this.filled + bytes.length > this.gathered.length) this.flush();
    if (bytes.length > this.gathered.length) {
      this.write(bytes);
      return;
    }
    this.gathered.set(bytes, this.filled);
    this.filled += bytes.length;
  }

  private flush(): void {
    this.write(this.gathered.subarray(0, this.filled));
    this.filled = 0;
  }

  private write(bytes: Uint8Array): void {
    this.hash.update(bytes);
    this.stream.append(bytes);
  }
}

function packed(tree: Tree, places: ReadonlyMap<FileNode, Place>, source: ByteSource): Tree {
  const made = new Map<TreeNode, LeafNode>();
  const builder = new TreeBuilder(tree.root, tree.fidelity);
  for (const { path, node } of tree.entries()) {
    if (node.type === 'directory') {
      builder.directory(path, node);
      continue;
    }
    let copy = made.get(node);
    if (copy === undefined) {
      copy = node.type === 'file' ? packedFile(node, places.get(node), source) : node;
      made.set(node, copy);
    }
    builder.put(path, copy);
  }
  return builder.build();
}

function packedFile(node: FileNode, place: Place | undefined, source: ByteSource): FileNode {
  if (place === undefined) return node;
  if (node.size === 0) return { ...node, content: EMPTY_CONTENT };
  if (place instanceof Uint8Array) return { ...node, content: { kind: 'inline', bytes: place } };
  return { ...node, content: { kind: 'extents', source, extents: () => place } };
}
