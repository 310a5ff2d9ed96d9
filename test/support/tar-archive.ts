import { closeSync, openSync, writeSync } from 'node:fs';
import type { ByteString } from '../../images/bytes/byte-string.js';
import { type Extent, piecesOf } from '../../images/tree/content.js';
import type { FileNode, TreeNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';

const BLOCK = 512;

/** The typeflag of each kind of file (POSIX, pax interchange format). Sockets have none. */
const typeflags: Record<Exclude<TreeNode['type'], 'socket'>, string> = {
  file: '0',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/**
 * Writes a Tree as a PAX archive; files with holes as GNU sparse files, version 1.0. The harness has its own
 * writer so that the project's reader is not judged by the project's writer. Throws on a socket.
 */
export function writeTar(path: string, tree: Tree): void {
  const output = new TarOutput(path);
  try {
    const first = new Map<TreeNode, ByteString>();
    for (const { path: place, node } of tree.entries()) {
      if (node.type === 'socket') throw new Error(`tar has no sockets: ${place}`);
      const name = `.${place}${node.type === 'directory' && place !== '/' ? '/' : ''}`;
      const known = first.get(node);
      if (known !== undefined) output.header(name, node, { typeflag: '1', linkname: known });
      else if (node.type === 'file') writeFile(output, name, node);
      else if (node.type === 'symlink') output.header(name, node, { linkname: node.target });
      else output.header(name, node, {});
      if (node.type !== 'directory' && known === undefined) first.set(node, name);
    }
    output.end();
  } finally {
    output.close();
  }
}

function writeFile(output: TarOutput, name: ByteString, node: FileNode): void {
  const runs = node.content.kind === 'extents' ? wholeBlocks(node.content.extents(), node.size) : undefined;
  const data = runs?.reduce((sum, run) => sum + run.end - run.start, 0) ?? node.size;
  if (runs === undefined || data === node.size) {
    output.header(name, node, { size: node.size });
    for (const piece of piecesOf(node.content, node.size)) output.write(piece.bytes);
    output.pad();
    return;
  }
  const map = sparseMap(runs, node.size);
  output.header(`GNUSparseFile.0/${name}`, node, {
    size: map.length + data,
    records: {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': name,
      'GNU.sparse.realsize': `${node.size}`,
    },
  });
  output.write(map);
  const pieces = piecesOf(node.content, node.size);
  let piece = pieces.next();
  for (const run of runs) {
    let position = run.start;
    for (; piece.done !== true && piece.value.offset < run.end; piece = pieces.next()) {
      output.write(Buffer.alloc(piece.value.offset - position));
      output.write(piece.value.bytes);
      position = piece.value.offset + piece.value.bytes.length;
    }
    output.write(Buffer.alloc(run.end - position));
  }
  output.pad();
}

interface Run {
  readonly start: number;
  readonly end: number;
}

/** Data in whole blocks: GNU tar starts each run of a sparse file on a block of its own, other readers do not. */
function wholeBlocks(extents: Iterable<Extent>, size: number): Run[] {
  const runs: Run[] = [];
  for (const { offset, length } of extents) {
    const start = Math.floor(offset / BLOCK) * BLOCK;
    const end = Math.min(size, Math.ceil((offset + length) / BLOCK) * BLOCK);
    const last = runs.at(-1);
    if (last !== undefined && start <= last.end) runs[runs.length - 1] = { start: last.start, end };
    else runs.push({ start, end });
  }
  return runs;
}

/** Decimal numbers, each on a line: how many runs, then offset and length of each. Ends where a block ends. */
function sparseMap(runs: readonly Run[], size: number): Buffer {
  const numbers = [...runs.flatMap(({ start, end }) => [start, end - start]), size, 0];
  const text = [runs.length + 1, ...numbers].map((number) => `${number}\n`).join('');
  const map = Buffer.alloc(Math.ceil(text.length / BLOCK) * BLOCK);
  map.write(text, 'latin1');
  return map;
}

interface HeaderOptions {
  readonly typeflag?: string;
  readonly linkname?: ByteString;
  readonly size?: number;
  readonly records?: Record<string, string>;
}

class TarOutput {
  private readonly descriptor: number;
  private readonly buffer = Buffer.alloc(1024 * 1024);
  private filled = 0;
  private written = 0;

  constructor(path: string) {
    this.descriptor = openSync(path, 'w');
  }

  /** The header block of an entry, and before it an extended header for what does not fit in its fields. */
  header(name: ByteString, node: TreeNode, options: HeaderOptions): void {
    const { linkname = '', size = 0 } = options;
    const records: Record<string, string> = { ...options.records };
    if (!fits(name) && records['GNU.sparse.name'] === undefined) records.path = name;
    if (!fits(linkname)) records.linkpath = linkname;
    for (const id of ['uid', 'gid'] as const) if (node[id] > 0o7777777) records[id] = `${node[id]}`;
    const { seconds, nanoseconds } = node.mtime;
    if (seconds < 0 || seconds >= 8 ** 11 || nanoseconds !== 0) records.mtime = decimal(seconds, nanoseconds);
    if (Object.keys(records).length > 0) {
      const body = Buffer.from(Object.entries(records).map(paxRecord).join(''), 'latin1');
      this.write(
        headerBlock('PaxHeaders/entry', 'x', { mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 0 }),
      );
      this.write(body);
      this.pad();
    }
    const typeflag = options.typeflag ?? typeflags[node.type as keyof typeof typeflags];
    const device =
      node.type === 'character' || node.type === 'block' ? [node.major, node.minor] : ([0, 0] as const);
    const numbers = {
      mode: node.mode,
      uid: records.uid === undefined ? node.uid : 0,
      gid: records.gid === undefined ? node.gid : 0,
      size,
      mtime: records.mtime === undefined ? seconds : 0,
    };
    this.write(headerBlock(name, typeflag, numbers, linkname, device));
  }

  write(bytes: Uint8Array): void {
    this.written += bytes.length;
    if (this.filled + bytes.length > this.buffer.length) this.flush();
    if (bytes.length > this.buffer.length) this.writeOut(bytes);
    else {
      this.buffer.set(bytes, this.filled);
      this.filled += bytes.length;
    }
  }

  /** Zeros to the end of the block. */
  pad(): void {
    const rest = this.written % BLOCK;
    if (rest !== 0) this.write(Buffer.alloc(BLOCK - rest));
  }

  end(): void {
    this.write(Buffer.alloc(2 * BLOCK));
    this.flush();
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private flush(): void {
    this.writeOut(this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }

  private writeOut(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.descriptor, bytes, done);
  }
}

/** Whether a name stands in a header's field of 100 bytes and means the same to every reader. */
function fits(name: ByteString): boolean {
  return name.length <= 100 && /^[\x20-\x7e]*$/.test(name);
}

/** Seconds rounded down and a fraction added to them, as one decimal number. */
function decimal(seconds: number, nanoseconds: number): string {
  if (nanoseconds === 0) return `${seconds}`;
  if (seconds >= 0) return `${seconds}.${`${nanoseconds}`.padStart(9, '0')}`;
  const whole = -seconds - 1;
  return `-${whole}.${`${1_000_000_000 - nanoseconds}`.padStart(9, '0')}`;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

function headerBlock(
  name: ByteString,
  typeflag: string,
  numbers: { mode: number; uid: number; gid: number; size: number; mtime: number },
  linkname: ByteString = '',
  device: readonly (number | undefined)[] = [0, 0],
): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name.slice(0, 100), 0, 'latin1');
  block.write(octal(numbers.mode, 8), 100, 'latin1');
  block.write(octal(numbers.uid, 8), 108, 'latin1');
  block.write(octal(numbers.gid, 8), 116, 'latin1');
  block.write(octal(numbers.size, 12), 124, 'latin1');
  block.write(octal(numbers.mtime, 12), 136, 'latin1');
  block.write(' '.repeat(8), 148, 'latin1');
  block.write(typeflag, 156, 'latin1');
  block.write(linkname.slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(octal(device[0] ?? 0, 8), 329, 'latin1');
  block.write(octal(device[1] ?? 0, 8), 337, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 7)} `, 148, 'latin1');
  return block;
}

/** An octal number that fills a field of `width` bytes up to the NUL at its end. */
function octal(value: number, width: number): string {
  const digits = value.toString(8).padStart(width - 1, '0');
  if (digits.length >= width) throw new RangeError(`${value} does not fit in ${width} bytes`);
  return `${digits}\0`;
}
