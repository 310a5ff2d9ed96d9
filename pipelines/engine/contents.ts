import { type ByteSource, FileSource } from '../../images/bytes/byte-source.js';

/**
 * The files in which the contents of trees lie, by their digests: so a tree can be written down, and read again in
 * another folder.
 */
export class Contents {
  private readonly sources = new Map<string, ByteSource>();
  private readonly digests = new Map<ByteSource, string>();
  /** Files that may be gone, or others, when the build is over. */
  private readonly passing = new Map<string, ByteSource>();

  /** `locate` finds the file with a digest. */
  constructor(private readonly locate: (sha256: string) => string) {}

  /**
   * The file with that digest, open; `path` says where it lies, if the caller knows. Throws a DiagnosticError when it
   * can't be opened, a RangeError when the name is no digest: a tree file may say anything.
   */
  open(sha256: string, path?: string): ByteSource {
    let source = this.sources.get(sha256);
    if (source === undefined) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError('a content with a name that is no digest');
      source = new FileSource(path ?? this.locate(sha256));
      this.sources.set(sha256, source);
      this.digests.set(source, sha256);
    }
    return source;
  }

  /** A file that does not last: it can be read until the build ends, but no tree that is written down refers to it. */
  openPassing(sha256: string, path: string): ByteSource {
    let source = this.passing.get(sha256);
    if (source === undefined) {
      source = new FileSource(path);
      this.passing.set(sha256, source);
    }
    return source;
  }

  /** Whether trees may refer to a source. */
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
    for (const source of [...this.sources.values(), ...this.passing.values()]) source.close();
    this.sources.clear();
    this.digests.clear();
    this.passing.clear();
  }
}
