import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import { type Content, EMPTY_CONTENT, type Extent } from './content.js';
import { PATH_BYTES_MAX } from './name.js';
import type { Attributes, FileNode, LeafNode, TreeNode } from './node.js';
import type { Fidelity, Tree } from './tree.js';
import { TreeBuilder } from './tree-builder.js';

/*
 * A Tree as a file: lines of JSON. The first says which sources the contents lie in, by name; each further one is a
 * name of the Tree, parents before children, siblings in byte order:
 *
 *   [type, path, mode, uid, gid, seconds, nanoseconds, {xattr: base64}, …]
 *   'f' …, size, base64 of the bytes | [source, offset, position, length, offset, position, length, …]
 *   'l' …, target     'b' 'c' …, major, minor     'd' 'p' 's'
 *   ['h', path, path of the same file above]
 *
 * Paths and targets are bytes: each character is one (see byte-string.ts). The same Tree always gives the same bytes.
 */
const FORMAT = 'ssi-images tree 1';

/** Lines are turned into bytes when they are together so long. */
const PIECE_CHARACTERS = 1024 * 1024;

type Row = readonly unknown[];

const letters = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  block: 'b',
  character: 'c',
  fifo: 'p',
  socket: 's',
} as const;

/**
 * Writes a Tree. `identify` names the source that a content lies in, such that the name will do to open it again.
 * Contents in files on the host must have been packed before (see pack.ts): a RangeError says so.
 */
export function encodeTree(tree: Tree, identify: (source: ByteSource) => string): Buffer {
  const sources = new SourceTable(identify);
  const seen = new Map<TreeNode, ByteString>();
  const rows = new LineWriter();
  for (const { path, node } of tree.entries()) {
    const first = node.type === 'directory' ? undefined : seen.get(node);
    if (first === undefined) seen.set(node, path);
    rows.add(first === undefined ? rowOf(path, node, sources) : ['h', path, first]);
  }
  const { nanoseconds, xattrs } = tree.fidelity;
  const head = { format: FORMAT, fidelity: { nanoseconds, xattrs }, sources: sources.names };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), rows.bytes()]);
}

/** Gathers lines of JSON. All in one string they could be longer than strings can be. */
class LineWriter {
  private readonly pieces: Buffer[] = [];
  private text = '';

  add(value: unknown): void {
    this.text += `${JSON.stringify(value)}\n`;
    if (this.text.length >= PIECE_CHARACTERS) this.flush();
  }

  bytes(): Buffer {
    this.flush();
    return Buffer.concat(this.pieces);
  }

  private flush(): void {
    this.pieces.push(Buffer.from(this.text, 'utf8'));
    this.text = '';
  }
}

/** The lines of a file, one at a time. */
function* linesOf(bytes: Uint8Array): Generator<string> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    const stop = end < 0 ? text.length : end;
    yield text.toString('utf8', start, stop);
    start = stop + 1;
  }
}

/** Whether a file begins as those that `encodeTree` writes. */
export function isTreeFile(source: ByteSource): boolean {
  const start = Buffer.from(JSON.stringify({ format: FORMAT }).slice(0, -1));
  return source.size > start.length && readBytes(source, 0, start.length).equals(start);
}

/** The names of the sources that a Tree in a file refers to. Throws a RangeError when the file is no Tree. */
export function sourcesOfTreeFile(bytes: Uint8Array): readonly string[] {
  const [first = ''] = linesOf(bytes);
  return headOf(first).sources;
}

/**
 * Reads a Tree. `open` gets the names that `identify` gave. Throws a DiagnosticError when the file is no Tree; contents
 * that lie outside their sources are found here, not when they are read.
 */
export function decodeTree(bytes: Uint8Array, name: string, open: (source: string) => ByteSource): Tree {
  const lines = linesOf(bytes);
  try {
    const head = headOf(lines.next().value ?? '');
    const sources = head.sources.map(open);
    const builder = new TreeBuilder(undefined, head.fidelity);
    let root = false;
    for (const line of lines) {
      const row: unknown = JSON.parse(line);
      if (!Array.isArray(row)) throw new RangeError('a row that is no list');
      addRow(builder, row, sources);
      root ||= row[0] === 'd' && row[1] === '/';
    }
    if (!root) throw new RangeError('no root');
    return builder.build();
  } catch (cause) {
    if (cause instanceof RangeError || cause instanceof SyntaxError)
      throw imageError({ file: name }, `it holds no tree of files (${cause.message})`);
    throw cause;
  }
}

interface Head {
  readonly fidelity: Fidelity;
  readonly sources: readonly string[];
}

function headOf(line: string): Head {
  const head = recordOf(JSON.parse(line), 'a head');
  if (head.format !== FORMAT) throw new RangeError('another format');
  const { nanoseconds, xattrs } = recordOf(head.fidelity, 'the fidelity');
  if (typeof nanoseconds !== 'boolean' || typeof xattrs !== 'boolean') throw new RangeError('no fidelity');
  if (!Array.isArray(head.sources)) throw new RangeError('no sources');
  const sources = head.sources.map((source: unknown) => textOf(source, 'a source'));
  return { fidelity: { nanoseconds, xattrs }, sources };
}

class SourceTable {
  readonly names: string[] = [];
  private readonly indexes = new Map<ByteSource, number>();

  constructor(private readonly identify: (source: ByteSource) => string) {}

  indexOf(source: ByteSource): number {
    let index = this.indexes.get(source);
    if (index === undefined) {
      const name = this.identify(source);
      index = this.names.indexOf(name);
      if (index < 0) index = this.names.push(name) - 1;
      this.indexes.set(source, index);
    }
    return index;
  }
}

function rowOf(path: ByteString, node: TreeNode, sources: SourceTable): Row {
  const { mode, uid, gid, mtime } = node;
  const numbers = [mode, uid, gid, mtime.seconds, mtime.nanoseconds];
  const common: Row = [letters[node.type], path, ...numbers, xattrsOf(node)];
  switch (node.type) {
    case 'file':
      checkNumbers([...numbers, node.size], path);
      return [...common, node.size, contentRow(node, path, sources)];
    case 'symlink':
      checkNumbers(numbers, path);
      return [...common, node.target];
    case 'block':
    case 'character':
      checkNumbers([...numbers, node.major, node.minor], path);
      return [...common, node.major, node.minor];
    default:
      checkNumbers(numbers, path);
      return common;
  }
}

/** A damaged image may have times and sizes that readers could only call infinite. */
function checkNumbers(numbers: readonly number[], path: ByteString): void {
  if (path.length <= PATH_BYTES_MAX && numbers.every(Number.isSafeInteger)) return;
  throw imageError(
    { path: textFromByteString(path.slice(0, PATH_BYTES_MAX)) },
    path.length > PATH_BYTES_MAX
      ? `the path is longer than ${PATH_BYTES_MAX} bytes`
      : 'it has a size, an owner or a time beyond all that a filesystem can hold',
    'The image it comes from is likely damaged: fsck it.',
  );
}

function xattrsOf({ xattrs }: Attributes): Record<string, string> | 0 {
  if (xattrs === undefined || xattrs.size === 0) return 0;
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
}

function contentRow({ content }: FileNode, path: ByteString, sources: SourceTable): string | number[] {
  switch (content.kind) {
    case 'inline':
      return Buffer.from(content.bytes).toString('base64');
    case 'extents': {
      const numbers = [sources.indexOf(content.source)];
      for (const { offset, position, length } of content.extents()) numbers.push(offset, position, length);
      return numbers;
    }
    case 'host-file':
      throw new RangeError(`the content of ${path} lies in a file on the host: pack it first`);
  }
}

const ID_MAX = 2 ** 32 - 1;

function addRow(builder: TreeBuilder, row: Row, sources: readonly ByteSource[]): void {
  const [type, path, mode, uid, gid, seconds, nanoseconds, xattrs, first, second] = row;
  const place = pathOf(path);
  if (type === 'h') {
    builder.link(place, pathOf(row[2]));
    return;
  }
  const common: Attributes = {
    mode: numberOf(mode, 0, 0o7777),
    uid: numberOf(uid, 0, ID_MAX),
    gid: numberOf(gid, 0, ID_MAX),
    mtime: {
      seconds: numberOf(seconds, Number.MIN_SAFE_INTEGER),
      nanoseconds: numberOf(nanoseconds, 0, 999_999_999),
    },
  };
  const attributes = xattrs === 0 ? common : { ...common, xattrs: xattrMap(xattrs) };
  if (type === 'd') builder.directory(place, attributes);
  else builder.put(place, leafOf(type, attributes, first, second, sources));
}

function numberOf(value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value;
  throw new RangeError('a number that is none, or out of its range');
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new RangeError(`${what} that is no text`);
}

function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new RangeError(`${what} that is none`);
}

/** A text that stands for bytes: a character that is none would become another one somewhere. */
function bytesIn(value: unknown, what: string): ByteString {
  const text = textOf(value, what);
  if (/[\u0100-\uffff]/.test(text)) throw new RangeError(`${what} that is not made of bytes`);
  return text;
}

function pathOf(value: unknown): ByteString {
  const path = bytesIn(value, 'a path');
  if (path.length > PATH_BYTES_MAX) throw new RangeError(`a path of ${path.length} bytes`);
  return path;
}

function xattrMap(xattrs: unknown): Map<ByteString, Uint8Array> {
  const values = Object.entries(recordOf(xattrs, 'attributes'));
  return new Map(
    values.map(([name, value]) => [
      bytesIn(name, 'an attribute'),
      Buffer.from(textOf(value, 'an attribute'), 'base64'),
    ]),
  );
}

function leafOf(
  type: unknown,
  attributes: Attributes,
  first: unknown,
  second: unknown,
  sources: readonly ByteSource[],
): LeafNode {
  switch (type) {
    case 'f': {
      const size = numberOf(first);
      return { ...attributes, type: 'file', size, content: contentOf(second, size, sources) };
    }
    case 'l':
      return { ...attributes, type: 'symlink', target: bytesIn(first, 'a target') };
    case 'b':
    case 'c':
      return {
        ...attributes,
        type: type === 'b' ? 'block' : 'character',
        major: numberOf(first),
        minor: numberOf(second),
      };
    case 'p':
      return { ...attributes, type: 'fifo' };
    case 's':
      return { ...attributes, type: 'socket' };
    default:
      throw new RangeError('an unknown type of file');
  }
}

function contentOf(row: unknown, size: number, sources: readonly ByteSource[]): Content {
  if (typeof row === 'string') {
    const bytes = Buffer.from(row, 'base64');
    if (bytes.length > size) throw new RangeError('a content longer than its file');
    return bytes.length === 0 && size === 0 ? EMPTY_CONTENT : { kind: 'inline', bytes };
  }
  if (!Array.isArray(row)) throw new RangeError('a content that is none');
  const source = sources[numberOf(row[0])];
  if (source === undefined) throw new RangeError('a content in an unknown source');
  if (row.length % 3 !== 1) throw new RangeError('half an extent');
  const numbers: readonly number[] = row.map((number: unknown) => numberOf(number));
  let end = 0;
  for (const { offset, position, length } of extentsOf(numbers)) {
    if (offset < end || offset + length > size)
      throw new RangeError('extents out of order, or past the end of a file');
    if (position + length > source.size) throw new RangeError('a content past the end of its source');
    end = offset + length;
  }
  return { kind: 'extents', source, extents: () => extentsOf(numbers) };
}

function* extentsOf(row: readonly number[]): Generator<Extent> {
  for (let index = 1; index + 2 < row.length; index += 3) {
    yield { offset: row[index]!, position: row[index + 1]!, length: row[index + 2]! };
  }
}
