import type { ByteSource } from '../bytes/byte-source.js';
import { type ByteString, byteString, bytesOf } from '../bytes/byte-string.js';
import { imageError } from '../diagnostic.js';
import type { Content, Extent } from './content.js';
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

type Row = readonly [string, ...unknown[]];

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
  const lines: string[] = [];
  for (const { path, node } of tree.entries()) {
    const first = node.type === 'directory' ? undefined : seen.get(node);
    if (first === undefined) seen.set(node, path);
    lines.push(JSON.stringify(first === undefined ? rowOf(path, node, sources) : ['h', path, first]));
  }
  const head = JSON.stringify({ format: FORMAT, fidelity: tree.fidelity, sources: sources.names });
  return Buffer.from(`${head}\n${lines.join('\n')}\n`, 'utf8');
}

/** The names of the sources that a Tree in a file refers to. */
export function sourcesOfTreeFile(bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return headOf(text.toString('utf8', 0, text.indexOf(0x0a))).sources;
}

/** Reads a Tree. `open` gets the names that `identify` gave. Throws a DiagnosticError when the file is no Tree. */
export function decodeTree(bytes: Uint8Array, name: string, open: (source: string) => ByteSource): Tree {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n');
  try {
    const head = headOf(lines[0] ?? '');
    const sources = head.sources.map(open);
    const builder = new TreeBuilder(undefined, head.fidelity);
    for (const line of lines.slice(1)) if (line !== '') addRow(builder, JSON.parse(line) as Row, sources);
    return builder.build();
  } catch (cause) {
    if (cause instanceof RangeError || cause instanceof TypeError || cause instanceof SyntaxError)
      throw imageError({ file: name }, `it holds no tree of files (${cause.message})`);
    throw cause;
  }
}

interface Head {
  readonly fidelity: Fidelity;
  readonly sources: readonly string[];
}

function headOf(line: string): Head {
  const head = JSON.parse(line) as Head & { format?: unknown };
  if (head.format !== FORMAT) throw new RangeError('another format');
  return head;
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
  const row = [letters[node.type], path, mode, uid, gid, mtime.seconds, mtime.nanoseconds] as const;
  const common: Row = [...row, xattrsOf(node)];
  switch (node.type) {
    case 'file':
      return [...common, node.size, contentRow(node, path, sources)];
    case 'symlink':
      return [...common, node.target];
    case 'block':
    case 'character':
      return [...common, node.major, node.minor];
    default:
      return common;
  }
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

function addRow(builder: TreeBuilder, row: Row, sources: readonly ByteSource[]): void {
  const [type, path] = row as unknown as [string, ByteString];
  if (type === 'h') {
    builder.link(path, row[2] as ByteString);
    return;
  }
  const [mode, uid, gid, seconds, nanoseconds, xattrs, first, second] = row.slice(2) as [
    number,
    number,
    number,
    number,
    number,
    Record<string, string> | 0,
    unknown,
    unknown,
  ];
  const attributes: Attributes = {
    mode,
    uid,
    gid,
    mtime: { seconds, nanoseconds },
    ...(xattrs === 0 ? {} : { xattrs: xattrMap(xattrs) }),
  };
  if (type === 'd') builder.directory(path, attributes);
  else builder.put(path, leafOf(type, attributes, first, second, sources));
}

function xattrMap(xattrs: Record<string, string>): Map<ByteString, Uint8Array> {
  return new Map(Object.entries(xattrs).map(([name, value]) => [name, Buffer.from(value, 'base64')]));
}

function leafOf(
  type: string,
  attributes: Attributes,
  first: unknown,
  second: unknown,
  sources: readonly ByteSource[],
): LeafNode {
  switch (type) {
    case 'f':
      return {
        ...attributes,
        type: 'file',
        size: first as number,
        content: contentOf(second as string | number[], sources),
      };
    case 'l':
      return { ...attributes, type: 'symlink', target: byteString(bytesOf(first as ByteString)) };
    case 'b':
    case 'c':
      return {
        ...attributes,
        type: type === 'b' ? 'block' : 'character',
        major: first as number,
        minor: second as number,
      };
    case 'p':
      return { ...attributes, type: 'fifo' };
    case 's':
      return { ...attributes, type: 'socket' };
    default:
      throw new RangeError(`unknown type ${JSON.stringify(type)}`);
  }
}

function contentOf(row: string | number[], sources: readonly ByteSource[]): Content {
  if (typeof row === 'string') return { kind: 'inline', bytes: Buffer.from(row, 'base64') };
  const source = sources[row[0] ?? -1];
  if (source === undefined) throw new RangeError('a content in an unknown source');
  return { kind: 'extents', source, extents: () => extentsOf(row) };
}

function* extentsOf(row: readonly number[]): Generator<Extent> {
  for (let index = 1; index + 2 < row.length; index += 3) {
    yield { offset: row[index]!, position: row[index + 1]!, length: row[index + 2]! };
  }
}
