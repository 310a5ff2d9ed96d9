import { type ByteSource, readBytes } from '../images/bytes/byte-source.js';

/** Compressed forms that are told by their first bytes. */
export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** How a file is compressed, or undefined when it is not. */
export function compressionOf(source: ByteSource): Compression | undefined {
  return magics.find(
    ([, magic]) =>
      source.size >= magic.length && readBytes(source, 0, magic.length).equals(Buffer.from(magic)),
  )?.[0];
}
