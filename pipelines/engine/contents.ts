import { type ByteSource, FileSource } from '../../images/bytes/byte-source.js';

/**
 * The files in which the contents of trees lie, by their digests: so a tree can be written down, and read again in
 * another folder.
 */
export class Contents {
  private readonly sources = new Map<string, ByteSource>();
  private readonly digests = new Map<ByteSource, string>();

  /** `locate` finds the file with a digest. */
  constructor(private readonly locate: (sha256: string) => string) {}

  /** The file with that digest, open; `path` says where it lies, if the caller knows. */
  open(sha256: string, path?: string): ByteSource {
    let source = this.sources.get(sha256);
    if (source === undefined) {
      source = new FileSource(path ?? this.locate(sha256));
      this.add(sha256, source);
    }
    return source;
  }

  /** Makes a source known that is open already. */
  add(sha256: string, source: ByteSource): void {
    this.sources.set(sha256, source);
    this.digests.set(source, sha256);
  }

  /** Whether a source is one of them. */
  knows(source: ByteSource): boolean {
    return this.digests.has(source);
  }

  /** The digest of a source. */
  identify(source: ByteSource): string {
    const digest = this.digests.get(source);
    if (digest === undefined) throw new RangeError(`contents lie in ${source.name}, which no stage has made`);
    return digest;
  }

  close(): void {
    for (const source of this.sources.values()) source.close();
    this.sources.clear();
  }
}
