import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { type ByteString, byteString, textFromByteString } from '../bytes/byte-string.js';
import { CachedSource } from '../bytes/cached-source.js';
import type { Pace } from '../bytes/pace.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { componentsOf, faultOfName } from '../tree/name.js';
import type { Attributes, FileNode, LeafNode } from '../tree/node.js';
import type { Fidelity, Tree } from '../tree/tree.js';
import { IMPLIED_DIRECTORY, TreeBuilder } from '../tree/tree-builder.js';
import { type CpioHeader, formatOf, readHeader } from './header.js';

/** What a cpio archive keeps: whole seconds, no extended attributes. */
export const CPIO_FIDELITY: Fidelity = { nanoseconds: false, xattrs: false };

/** Longest name in a header that is believed. */
const NAME_BYTES_MAX = 32768;
const TARGET_BYTES_MAX = 65536;
const TRAILER = 'TRAILER!!!';

/** Whether the source starts with a cpio header: newc, crc or odc. */
export function isCpio(source: ByteSource): boolean {
  return source.size >= 6 && formatOf(readBytes(source, 0, 6)) !== undefined;
}

/**
 * Reads cpio archives, several one after the other as in an initramfs, into a Tree; contents stay in the archive.
 * The checksums of the crc form are not looked at. Throws a DiagnosticError with the offset on damage, on an archive
 * without its trailer, on names with `..` and on paths through something that is no directory.
 */
export async function treeOfCpio(source: ByteSource, pace: Pace): Promise<Tree> {
  const reader = new CpioReader(source);
  while (reader.readMember()) if (pace.due()) await pace.breathe();
  return reader.build();
}

class CpioReader {
  private readonly metadata: CachedSource;
  private readonly builder = new TreeBuilder(IMPLIED_DIRECTORY, CPIO_FIDELITY);
  /** Files with several names, by device and inode: their data comes with the last one (newc). */
  private linked = new Map<string, LeafNode>();
  private position = 0;
  /** Whether an archive has begun whose trailer has not come yet. */
  private open = false;

  constructor(private readonly source: ByteSource) {
    this.metadata = new CachedSource(source, 4096, 64);
  }

  build(): Tree {
    return this.builder.build();
  }

  /** Reads the next member into the Tree; false at the end. */
  readMember(): boolean {
    if (!this.skipPadding()) {
      if (this.open) throw this.fail(this.source.size, 'the archive is cut short: its trailer is missing');
      return false;
    }
    const offset = this.position;
    const header = readHeader(this.metadata, offset);
    if (typeof header === 'string') throw this.fail(offset, header);
    if (header.nameBytes < 1 || header.nameBytes > NAME_BYTES_MAX)
      throw this.fail(offset, `a name of ${header.nameBytes} bytes`);
    const nameEnd = offset + header.headerBytes + header.nameBytes;
    const data = align(nameEnd, header.alignment);
    if (!(data + header.size <= this.source.size)) {
      throw this.fail(offset, `the archive is cut short: ${header.size} bytes of data should follow`);
    }
    const stored = readBytes(this.metadata, offset + header.headerBytes, header.nameBytes);
    if (stored[stored.length - 1] !== 0) throw this.fail(offset, 'a name without an end');
    const name = byteString(stored.subarray(0, -1));
    this.position = Math.min(this.source.size, align(data + header.size, header.alignment));
    // Links do not reach from one archive into the next.
    this.open = name !== TRAILER;
    if (name === TRAILER) this.linked = new Map();
    else this.add(this.checkName(name, offset), header, data, offset);
    return true;
  }

  /** Archives are padded with zeros; returns whether something follows. */
  private skipPadding(): boolean {
    while (this.position < this.source.size) {
      const piece = readBytes(this.metadata, this.position, Math.min(4096, this.source.size - this.position));
      const found = piece.findIndex((byte) => byte !== 0);
      if (found >= 0) {
        this.position += found;
        return true;
      }
      this.position += piece.length;
    }
    return false;
  }

  private add(path: ByteString, header: CpioHeader, data: number, offset: number): void {
    const attributes: Attributes = {
      mode: header.mode & 0o7777,
      uid: header.uid,
      gid: header.gid,
      mtime: { seconds: header.mtime, nanoseconds: 0 },
    };
    if (header.type === undefined)
      throw this.fail(offset, `a member of the unknown type 0${(header.mode & 0o170000).toString(8)}`);
    if (header.type === 'directory') {
      this.builder.directory(path, attributes);
      return;
    }
    if (path === '') throw this.fail(offset, 'the root is something else than a directory');
    this.put(path, header, this.nodeOf(header, attributes, data, offset));
  }

  private nodeOf(header: CpioHeader, attributes: Attributes, data: number, offset: number): LeafNode {
    const { size } = header;
    switch (header.type) {
      case 'symlink': {
        if (size < 1 || size > TARGET_BYTES_MAX) throw this.fail(offset, `a symbolic link of ${size} bytes`);
        return { ...attributes, type: 'symlink', target: byteString(readBytes(this.source, data, size)) };
      }
      case 'block':
      case 'character':
        return { ...attributes, type: header.type, major: header.major, minor: header.minor };
      case 'fifo':
      case 'socket':
        return { ...attributes, type: header.type };
      default: {
        const extents = size > 0 ? [{ offset: 0, position: data, length: size }] : [];
        const content = { kind: 'extents', source: this.source, extents: () => extents } as const;
        return { ...attributes, type: 'file', size, content } satisfies FileNode;
      }
    }
  }

  private put(path: ByteString, header: CpioHeader, node: LeafNode): void {
    if (header.links < 2) {
      this.builder.put(path, node);
      return;
    }
    const known = this.linked.get(header.identity);
    // Inode numbers are cut to the width of their field: what has another type is another file.
    if (known === undefined || known.type !== node.type) {
      this.linked.set(header.identity, this.builder.put(path, node));
      return;
    }
    this.builder.put(path, known);
    // Changed in place: to look for its other names takes long when there are many such files.
    if (node.type === 'file' && known.type === 'file' && known.size === 0) Object.assign(known, node);
  }

  private checkName(name: ByteString, offset: number): ByteString {
    const names = componentsOf(name);
    let node = this.builder.get('/');
    for (const part of names) {
      const fault = part === '..' ? 'a ".." that would lead out of the archive' : faultOfName(part);
      if (fault !== undefined)
        throw this.fail(offset, `${textFromByteString(name.slice(0, 200))}: the name has ${fault}`);
      if (node !== undefined && node.type !== 'directory') {
        throw this.fail(
          offset,
          `${textFromByteString(name.slice(0, 200))}: the path leads through a ${node.type}`,
        );
      }
      node = node?.entries.get(part);
    }
    return names.join('/');
  }

  private fail(offset: number, message: string): DiagnosticError {
    return imageError({ file: this.source.name, offset }, message);
  }
}

function align(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}
