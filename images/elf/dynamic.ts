import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { type ByteString, byteString } from '../bytes/byte-string.js';
import { readUint64LE } from '../bytes/integers.js';
import {
  type ElfHeader,
  type ElfSegment,
  elfFault,
  readElfHeader,
  readSegments,
  SegmentType,
} from './header.js';

/** What an ELF file needs to run (System V ABI, chapter 5, "Dynamic Section"). */
export interface ElfFile {
  readonly header: ElfHeader;
  /** The program that loads it (`ld.so`); programs that are linked statically, and libraries, name none. */
  readonly interpreter?: ByteString;
  /** Libraries that it needs, in the order it names them: file names, or paths if they hold a slash. */
  readonly needed: readonly ByteString[];
  /** The name that it goes by as a library. */
  readonly soname?: ByteString;
  /** Directories to look for libraries in, also for those of its libraries; obsolete, and void beside `runpath`. */
  readonly rpath: readonly ByteString[];
  /** Directories to look for its own libraries in. */
  readonly runpath: readonly ByteString[];
}

const Tag = {
  end: 0,
  needed: 1,
  stringTable: 5,
  stringBytes: 10,
  soname: 14,
  rpath: 15,
  runpath: 29,
} as const;

/** A hundred times what large programs have. */
const DYNAMIC_BYTES_MAX = 1024 * 1024;
const LIBRARIES_MAX = 4096;
const FOLDERS_MAX = 256;
/** Longer than any path. */
const STRING_BYTES_MAX = 32768;

/** Reads what an ELF file needs. Throws a DiagnosticError on damage, and when it is no little-endian ELF file. */
export function readElf(source: ByteSource): ElfFile {
  const header = readElfHeader(source);
  const segments = readSegments(source, header);
  const interpreter = readInterpreter(source, segments);
  return {
    header,
    ...(interpreter === undefined ? {} : { interpreter }),
    ...new DynamicSection(source, header.is64, segments).read(),
  };
}

function readInterpreter(source: ByteSource, segments: readonly ElfSegment[]): ByteString | undefined {
  const segment = segments.find(({ type }) => type === SegmentType.interpreter);
  if (segment === undefined) return undefined;
  if (!(segment.offset + segment.bytes <= source.size))
    throw elfFault(source, 'the name of its interpreter lies past its end');
  return stringAt(source, segment.offset, segment.offset + segment.bytes, 'the name of its interpreter');
}

/** The string that begins at `start` and has to end before `end`. */
function stringAt(source: ByteSource, start: number, end: number, what: string): ByteString {
  if (!(start < end && end <= source.size)) throw elfFault(source, `${what} lies outside its strings`);
  const bytes = readBytes(source, start, Math.min(end - start, STRING_BYTES_MAX));
  const length = bytes.indexOf(0);
  if (length < 0) throw elfFault(source, `${what} has no end`);
  return byteString(bytes.subarray(0, length));
}

class DynamicSection {
  constructor(
    private readonly source: ByteSource,
    private readonly is64: boolean,
    private readonly segments: readonly ElfSegment[],
  ) {}

  read(): Omit<ElfFile, 'header' | 'interpreter'> {
    const entries = this.entries();
    const first = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.value;
    const strings = this.strings(first(Tag.stringTable), first(Tag.stringBytes));
    const needed = entries.filter(({ tag }) => tag === Tag.needed);
    if (needed.length > LIBRARIES_MAX) throw elfFault(this.source, `it needs ${needed.length} libraries`);
    const soname = first(Tag.soname);
    const folders = (tag: number, what: string): ByteString[] => {
      const value = first(tag);
      return value === undefined ? [] : strings(value, what).split(':', FOLDERS_MAX);
    };
    return {
      needed: needed.map(({ value }) => strings(value, 'the name of a library')),
      ...(soname === undefined ? {} : { soname: strings(soname, 'its own name') }),
      rpath: folders(Tag.rpath, 'its RPATH'),
      runpath: folders(Tag.runpath, 'its RUNPATH'),
    };
  }

  private entries(): { tag: number; value: number }[] {
    const { source, is64 } = this;
    const segment = this.segments.find(({ type }) => type === SegmentType.dynamic);
    if (segment === undefined) return [];
    if (!(segment.bytes <= DYNAMIC_BYTES_MAX))
      throw elfFault(source, `a dynamic section of ${segment.bytes} bytes`);
    if (!(segment.offset + segment.bytes <= source.size))
      throw elfFault(source, 'its dynamic section lies past its end');
    const bytes = readBytes(source, segment.offset, segment.bytes);
    const width = is64 ? 8 : 4;
    const valueAt = (at: number): number => (is64 ? readUint64LE(bytes, at) : bytes.readUInt32LE(at));
    const entries: { tag: number; value: number }[] = [];
    for (let at = 0; at + 2 * width <= bytes.length; at += 2 * width) {
      const tag = valueAt(at);
      if (tag === Tag.end) break;
      entries.push({ tag, value: valueAt(at + width) });
    }
    return entries;
  }

  /** Gives the string at an offset of the table whose address and length the section says. */
  private strings(
    address: number | undefined,
    length: number | undefined,
  ): (offset: number, what: string) => ByteString {
    const { source } = this;
    if (address === undefined) {
      return (_offset, what) => {
        throw elfFault(source, `${what} is given, but no strings`);
      };
    }
    const place = this.segments.find(
      (segment) =>
        segment.type === SegmentType.load &&
        address >= segment.address &&
        address < segment.address + segment.bytes,
    );
    if (place === undefined) throw elfFault(source, 'its strings are not in the file');
    const start = place.offset + address - place.address;
    const end = Math.min(
      start + (length ?? Number.POSITIVE_INFINITY),
      place.offset + place.bytes,
      source.size,
    );
    return (offset, what) => stringAt(source, start + offset, end, what);
  }
}
