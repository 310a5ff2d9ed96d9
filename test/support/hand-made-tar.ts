const RECORD = 512;

/** Fields of a header as they are to stand in it; what is not given is what an honest archiver would write. */
interface MemberFields {
  readonly type?: string;
  readonly link?: string;
  readonly size?: string;
  readonly data?: string;
  readonly mode?: string;
  readonly mtime?: string;
  readonly magic?: string;
  /** Further fields: offset and text. */
  readonly at?: Readonly<Record<number, string>>;
}

/** Writes members one by one: also what no honest archiver would write. Texts are bytes (latin1). */
export class HandMadeTar {
  private readonly parts: Buffer[] = [];

  member(name: string, fields: MemberFields = {}): this {
    const record = Buffer.alloc(RECORD);
    const data = Buffer.from(fields.data ?? '', 'latin1');
    record.write(name, 0, 100, 'latin1');
    record.write(fields.mode ?? '0000644\0', 100, 'latin1');
    record.write('0000000\0', 108);
    record.write('0000000\0', 116);
    record.write(fields.size ?? `${data.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    record.write(fields.mtime ?? '00000000000\0', 136, 'latin1');
    record.write(fields.type ?? '0', 156);
    record.write(fields.link ?? '', 157, 100, 'latin1');
    record.write(fields.magic ?? 'ustar\x0000', 257, 'latin1');
    for (const [offset, text] of Object.entries(fields.at ?? {}))
      record.write(text, Number(offset), 'latin1');
    record.write('        ', 148);
    const sum = record.reduce((total, byte) => total + byte, 0);
    record.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    this.parts.push(record, data, Buffer.alloc((RECORD - (data.length % RECORD)) % RECORD));
    return this;
  }

  /** An extended header (`x`), or a global one (`g`), of these records. */
  pax(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): this {
    return this.member(type, { type, data: Object.entries(records).map(paxRecord).join('') });
  }

  /** Bytes that are no member. */
  raw(bytes: Uint8Array): this {
    this.parts.push(Buffer.from(bytes));
    return this;
  }

  /** The archive with the empty records that end it. */
  bytes(): Buffer {
    return Buffer.concat([this.unended(), Buffer.alloc(2 * RECORD)]);
  }

  /** The members alone. */
  unended(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord([key, value]: readonly [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length += 1;
  return `${length}${rest}`;
}
