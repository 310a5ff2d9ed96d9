/** What to put into a made-up ELF file. */
export interface ElfContents {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
}

const ADDRESS = 0x400000;

/** An ELF file that holds nothing but what a loader reads before it loads others; no program that could run. */
export function elfFile(contents: ElfContents = {}): Buffer {
  const {
    bits = 64,
    machine = bits === 64 ? 62 : 3,
    interpreter,
    needed = [],
    soname,
    rpath,
    runpath,
  } = contents;
  const is64 = bits === 64;
  const strings: string[] = [''];
  const offsetOf = (text: string): number => {
    const offset = strings.join('\0').length + 1;
    strings.push(text);
    return offset;
  };
  const tags: [tag: number, value: number][] = needed.map((name) => [1, offsetOf(name)]);
  if (soname !== undefined) tags.push([14, offsetOf(soname)]);
  if (rpath !== undefined) tags.push([15, offsetOf(rpath)]);
  if (runpath !== undefined) tags.push([29, offsetOf(runpath)]);
  const table = Buffer.from(`${strings.join('\0')}\0`, 'latin1');
  const name = Buffer.from(interpreter === undefined ? '' : `${interpreter}\0`, 'latin1');
  const [headerBytes, entryBytes, width] = is64 ? [64, 56, 8] : [52, 32, 4];
  const tableAt = headerBytes + 3 * entryBytes;
  const nameAt = tableAt + table.length;
  const dynamicAt = Math.ceil((nameAt + name.length) / 8) * 8;
  tags.push([5, ADDRESS + tableAt], [10, table.length], [0, 0]);
  const file = Buffer.alloc(dynamicAt + tags.length * 2 * width);
  const word = (value: number, at: number): void => {
    file.writeUInt32LE(value, at);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1]);
  file.writeUInt16LE(interpreter === undefined ? 3 : 2, 16);
  file.writeUInt16LE(machine, 18);
  word(headerBytes, is64 ? 32 : 28);
  file.writeUInt16LE(entryBytes, is64 ? 54 : 42);
  const segments = [
    { type: 1, offset: 0, bytes: file.length },
    ...(tags.length > 3 ? [{ type: 2, offset: dynamicAt, bytes: file.length - dynamicAt }] : []),
    ...(interpreter === undefined ? [] : [{ type: 3, offset: nameAt, bytes: name.length }]),
  ];
  file.writeUInt16LE(segments.length, is64 ? 56 : 44);
  for (const [index, { type, offset, bytes }] of segments.entries()) {
    const at = headerBytes + index * entryBytes;
    word(type, at);
    word(offset, at + (is64 ? 8 : 4));
    word(ADDRESS + offset, at + (is64 ? 16 : 8));
    word(bytes, at + (is64 ? 32 : 16));
  }
  file.set(table, tableAt);
  file.set(name, nameAt);
  for (const [index, [tag, value]] of tags.entries()) {
    word(tag, dynamicAt + index * 2 * width);
    word(value, dynamicAt + index * 2 * width + width);
  }
  return file;
}
