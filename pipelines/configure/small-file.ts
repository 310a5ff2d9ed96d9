import { type ByteString, byteString, bytesOf, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import type { FileNode, TreeNode } from '../../images/tree/node.js';
import type { Place } from './place.js';
import type { RootEditor } from './root-editor.js';

/** Configuration files and scripts are a thousand times smaller; nothing larger is read into memory. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024;

/** A configuration file or script of a root, with its bytes. */
export interface SmallFile {
  /** Its real path. */
  readonly path: ByteString;
  readonly node: FileNode;
  /** Its bytes, in no particular encoding. */
  readonly text: ByteString;
}

/** Reads a file that was found. Throws a DiagnosticError when it is no file, or too large for what it should be. */
export function readSmallFile(place: Place & { kind: 'found' }): SmallFile {
  const { path, node } = place;
  const location = { path: textFromByteString(path) };
  if (node.type !== 'file') throw imageError(location, `a ${nameOf(node)} where a file should be`);
  if (node.size > SMALL_FILE_BYTES_MAX) {
    throw imageError(
      location,
      `${node.size} bytes are too many for a file of this kind (at most ${SMALL_FILE_BYTES_MAX})`,
      'Is this the file that is meant?',
    );
  }
  return { path, node, text: byteString(readContent(node.content, node.size)) };
}

/**
 * Gives a file other bytes; owner and mode stay. Further names of it (hard links) keep the old bytes: an
 * `inittab.ssi` that was made as a link to `inittab` is to differ from it from now on.
 */
export function writeSmallFile(root: RootEditor, file: SmallFile, text: ByteString): void {
  const bytes = bytesOf(text);
  root.put(file.path, {
    ...file.node,
    mtime: root.mtime,
    size: bytes.length,
    content: { kind: 'inline', bytes },
  });
}

/** What to call a node in a sentence. */
export function nameOf(node: TreeNode): string {
  const names = { symlink: 'symbolic link', block: 'block device', character: 'character device' } as const;
  return node.type in names ? names[node.type as keyof typeof names] : node.type;
}
