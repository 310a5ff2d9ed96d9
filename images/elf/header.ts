import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { readUint64LE } from '../bytes/integers.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';

/** What the header of an ELF file says (System V ABI, chapter 4, "ELF Header"). */
export interface ElfHeader {
  /** Whether its addresses have 64 bits. */
  readonly is64: boolean;
  /** Processor: 3 is the 386, 62 x86-64. */
  readonly machine: number;
  /** 1 relocatable (a kernel module), 2 executable, 3 shared object or position-independent executable. */
  readonly type: number;
  /** Of the processor: ARM says there which floating point calls use. */
  readonly flags: number;
  /** Where the table of program headers lies, and what its entries are. */
  readonly table: { readonly offset: number; readonly count: number; readonly entryBytes: number };
}

/** A part of the file that is mapped into memory, or described by a program header. */
export interface ElfSegment {
  readonly type: number;
  /** Byte offset in the file. */
  readonly offset: number;
  /** Address in memory. */
  readonly address: number;
  /** Bytes in the file. */
  readonly bytes: number;
}

export const SegmentType = { load: 1, dynamic: 2, interpreter: 3 } as const;

const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const IDENTIFICATION_BYTES = 16;
const HEADER_BYTES = { 32: 52, 64: 64 } as const;
const ENTRY_BYTES = { 32: 32, 64: 56 } as const;
/** Linkers make some ten; Linux itself takes no table of more than 64 KiB. */
const SEGMENTS_MAX = 1024;

/** Whether a source begins as an ELF file. */
export function isElf(source: ByteSource): boolean {
  return source.size >= IDENTIFICATION_BYTES && readBytes(source, 0, MAGIC.length).equals(MAGIC);
}

export function elfFault(source: ByteSource, message: string): DiagnosticError {
  return imageError({ file: source.name }, `a damaged ELF file: ${message}`, 'Install its package again.');
}

/**
 * Reads the header of a little-endian ELF file. Throws a DiagnosticError when it is none, cut short, or says what
 * can't be.
 */
export function readElfHeader(source: ByteSource): ElfHeader {
  if (!isElf(source)) throw imageError({ file: source.name }, 'no ELF file: neither a program nor a library');
  const identification = readBytes(source, 0, IDENTIFICATION_BYTES);
  const elfClass = identification[4];
  if (elfClass !== 1 && elfClass !== 2)
    throw elfFault(source, `neither of 32 nor of 64 bits (class ${elfClass})`);
  if (identification[5] === 2)
    throw imageError({ file: source.name }, 'a big-endian ELF file: no User-Mode Linux runs it');
  if (identification[5] !== 1) throw elfFault(source, `of the unknown byte order ${identification[5]}`);
  const is64 = elfClass === 2;
  const headerBytes = HEADER_BYTES[is64 ? 64 : 32];
  if (source.size < headerBytes) throw elfFault(source, 'it is cut short in its header');
  const bytes = readBytes(source, 0, headerBytes);
  // After the table's offset both forms go on alike, but for the width of the next offset.
  const tail = is64 ? 48 : 36;
  const table = {
    offset: is64 ? readUint64LE(bytes, 32) : bytes.readUInt32LE(28),
    entryBytes: bytes.readUInt16LE(tail + 6),
    count: bytes.readUInt16LE(tail + 8),
  };
  return {
    is64,
    type: bytes.readUInt16LE(16),
    machine: bytes.readUInt16LE(18),
    flags: bytes.readUInt32LE(tail),
    table,
  };
}

/** Reads the program headers. Throws a DiagnosticError when they lie outside the file or are too many. */
export function readSegments(source: ByteSource, { is64, table }: ElfHeader): ElfSegment[] {
  if (table.count === 0) return [];
  const least = ENTRY_BYTES[is64 ? 64 : 32];
  if (table.count > SEGMENTS_MAX) throw elfFault(source, `${table.count} program headers`);
  if (table.entryBytes < least) throw elfFault(source, `program headers of ${table.entryBytes} bytes`);
  const length = table.count * table.entryBytes;
  if (!(table.offset + length <= source.size)) throw elfFault(source, 'its program headers lie past its end');
  const bytes = readBytes(source, table.offset, length);
  return Array.from({ length: table.count }, (_, index) =>
    readSegment(bytes, index * table.entryBytes, is64),
  );
}

function readSegment(bytes: Buffer, at: number, is64: boolean): ElfSegment {
  const type = bytes.readUInt32LE(at);
  if (is64) {
    const [offset, address, length] = [at + 8, at + 16, at + 32].map((place) =>
      readUint64LE(bytes, place),
    ) as [number, number, number];
    return { type, offset, address, bytes: length };
  }
  return {
    type,
    offset: bytes.readUInt32LE(at + 4),
    address: bytes.readUInt32LE(at + 8),
    bytes: bytes.readUInt32LE(at + 16),
  };
}
