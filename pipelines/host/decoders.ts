/** A program that unpacks a file to standard output, as the HOWTO has it (5.1). */
export interface Decoder {
  readonly program: string;
  /** Debian package. */
  readonly package: string;
}

const DECODERS: readonly (readonly [ending: RegExp, decoder: Decoder])[] = [
  [/\.t?bz2$/i, { program: 'bunzip2', package: 'bzip2' }],
  [/\.t?gz$/i, { program: 'gunzip', package: 'gzip' }],
  [/\.t?xz$/i, { program: 'unxz', package: 'xz-utils' }],
  [/\.t?zst$/i, { program: 'unzstd', package: 'zstd' }],
];

/** What a file of this name is unpacked with; undefined when it is taken as it is. */
export function decoderOf(name: string): Decoder | undefined {
  return DECODERS.find(([ending]) => ending.test(name))?.[1];
}
