import { createHash } from 'node:crypto';
import type { ByteSource } from '../bytes/byte-source.js';
import type { Pace } from '../bytes/pace.js';
import { SparseStream } from '../bytes/sparse-stream.js';
import { type Extent, PIECE_BYTES, piecesOf } from './content.js';
import type { FileNode, LeafNode, TreeNode } from './node.js';
import type { Tree } from './tree.js';
import { TreeBuilder } from './tree-builder.js';

/** Contents in memory that are longer than this go into the pack too. */
const INLINE_BYTES_MAX = 4096;

/** What was packed: the caller opens the file, then asks for the Tree that refers to it. */
export interface Pack {
  /** SHA-256 of the packed file. */
  readonly sha256: string;
  /** Its length in bytes. */
  readonly size: number;
  /** The same Tree with contents in `source`, which has the packed file's bytes. */
  tree(source: ByteSource): Tree;
}

/**
 * Copies the contents of a Tree that lie in files on the host, in memory, or in a source that does not last, into one
 * new file at `path`, so that the Tree outlives them. Files of up to 4 KiB stay in the Tree itself. Throws a DiagnosticError when a file changed since
 * it was listed, or can't be copied; nothing stays then.
 */
export async function packContents(
  tree: Tree,
  path: string,
  lasts: (source: ByteSource) => boolean,
  pace: Pace,
): Promise<Pack> {
  const stream = new SparseStream(path);
  const hash = createHash('sha256');
  const places = new Map<FileNode, number | Uint8Array>();
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  const append = async (pieces: Iterable<Uint8Array>): Promise<void> => {
    for (const bytes of pieces) {
      stream.append(bytes);
      hash.update(bytes);
      if (pace.due()) await pace.breathe();
    }
  };
  try {
    for (const { node } of tree.entries()) {
      if (node.type !== 'file' || places.has(node) || !isToPack(node, lasts)) continue;
      if (node.size <= INLINE_BYTES_MAX) {
        places.set(node, smallContent(node));
        continue;
      }
      const start = stream.size;
      places.set(node, start);
      for (const { offset, bytes } of piecesOf(node.content, node.size, buffer)) {
        await append(zeros(start + offset - stream.size));
        await append([bytes]);
      }
      await append(zeros(start + node.size - stream.size));
    }
    stream.close();
  } catch (error) {
    stream.discard();
    throw error;
  }
  const { size } = stream;
  return { sha256: hash.digest('hex'), size, tree: (source) => packed(tree, places, source) };
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

function smallContent(node: FileNode): Uint8Array {
  const bytes = Buffer.alloc(node.size);
  for (const piece of piecesOf(node.content, node.size)) bytes.set(piece.bytes, piece.offset);
  return bytes;
}

function packed(tree: Tree, places: ReadonlyMap<FileNode, number | Uint8Array>, source: ByteSource): Tree {
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

function packedFile(node: FileNode, place: number | Uint8Array | undefined, source: ByteSource): FileNode {
  if (place === undefined) return node;
  if (typeof place !== 'number') return { ...node, content: { kind: 'inline', bytes: place } };
  const extent: Extent = { offset: 0, position: place, length: node.size };
  return { ...node, content: { kind: 'extents', source, extents: () => [extent] } };
}

const zeroPiece = Buffer.alloc(64 * 1024);

/** That many bytes of a hole. */
function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= zeroPiece.length) yield zeroPiece.subarray(0, Math.min(left, zeroPiece.length));
}
