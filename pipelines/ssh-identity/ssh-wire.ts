/** A string of the SSH protocol: its length in four bytes, and its bytes (RFC 4251, section 5). */
export function sshString(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Reads numbers and strings of the SSH protocol, and throws `fault` where there are too few bytes. */
export class SshReader {
  private offset = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly fault: () => Error,
  ) {}

  number(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.number());
  }

  text(): string {
    return this.string().toString('latin1');
  }

  private take(count: number): Buffer {
    const end = this.offset + count;
    if (end > this.bytes.length) throw this.fault();
    const taken = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return taken;
  }
}
