import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { FileSource } from '../../images/bytes/byte-source.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import { imageError } from '../../images/diagnostic.js';
import { decodeHeader, hasValidChecksum, RECORD_BYTES } from '../../images/tar/header.js';
import { OBJECT_BYTES_MAX, type ObjectKind, type ObjectStore, StoreFault } from './remote/object-store.js';

/** An archive with more objects is none of ours: it would have 8 TiB. */
const OBJECTS_MAX = 8 * 1024 * 1024;

const OBJECT_NAME = /^(?:ac|cas)\/[0-9a-f]{64}$/;

/**
 * A tar archive that is written as a remote cache is: its members are the objects. It has its name once it is whole.
 * Only its owner can read it: it holds what the cache holds, private keys too.
 */
export class ArchiveWriter implements ObjectStore {
  private readonly names = new Set<string>();
  private readonly arriving: string;
  private descriptor: number;
  /** Bytes written so far. */
  size = 0;

  constructor(readonly name: string) {
    this.arriving = `${name}.${process.pid}.partial`;
    try {
      this.descriptor = openSync(this.arriving, 'wx', 0o600);
    } catch (cause) {
      throw readableHostError(cause, name);
    }
  }

  get(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  has(kind: ObjectKind, name: string): Promise<boolean> {
    return Promise.resolve(this.names.has(`${kind}/${name}`));
  }

  put(kind: ObjectKind, name: string, bytes: Uint8Array): Promise<void> {
    const path = `${kind}/${name}`;
    if (this.names.has(path)) return Promise.resolve();
    this.names.add(path);
    try {
      this.write(headerOf(path, bytes.length));
      this.write(bytes);
      this.write(Buffer.alloc(-bytes.length & (RECORD_BYTES - 1)));
    } catch (error) {
      return Promise.reject(error);
    }
    return Promise.resolve();
  }

  /** Ends the archive and gives it its name. Throws a DiagnosticError. */
  finish(): void {
    this.write(Buffer.alloc(2 * RECORD_BYTES));
    try {
      fsyncSync(this.descriptor);
      this.close();
      renameSync(this.arriving, this.name);
    } catch (cause) {
      throw readableHostError(cause, this.name);
    }
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }

  /** Closes; what was not finished goes. */
  discard(): void {
    this.close();
    rmSync(this.arriving, { force: true });
  }

  private write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(this.descriptor, bytes, done);
      } catch (cause) {
        throw readableHostError(cause, this.name);
      }
    }
    this.size += bytes.length;
  }
}

/** The header of a file (POSIX ustar); times and owners are no one's. */
function headerOf(path: string, size: number): Buffer {
  const header = Buffer.alloc(RECORD_BYTES);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  header.write(path, 0, 'latin1');
  header.write(`${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  header.write(`${octal(size, 11)}\0${octal(0, 11)}\0        0`, 124, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return header;
}

/** The same, to read. */
export class ArchiveReader implements ObjectStore {
  private readonly places = new Map<string, { readonly offset: number; readonly size: number }>();
  private readonly source: FileSource;

  /** Throws a DiagnosticError when it is no such archive, or ends before its end. */
  constructor(readonly name: string) {
    this.source = new FileSource(name);
    try {
      this.index();
    } catch (error) {
      this.source.close();
      throw error;
    }
  }

  /** Names of its objects of a kind. */
  names(kind: ObjectKind): string[] {
    const prefix = `${kind}/`;
    return [...this.places.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  get(kind: ObjectKind, name: string): Promise<Buffer | undefined> {
    const place = this.places.get(`${kind}/${name}`);
    if (place === undefined) return Promise.resolve(undefined);
    const bytes = Buffer.alloc(place.size);
    this.source.readInto(bytes, place.offset);
    return Promise.resolve(bytes);
  }

  has(kind: ObjectKind, name: string): Promise<boolean> {
    return Promise.resolve(this.places.has(`${kind}/${name}`));
  }

  put(): Promise<void> {
    return Promise.reject(new StoreFault('denied', 'it is only read'));
  }

  close(): void {
    this.source.close();
  }

  private index(): void {
    const record = Buffer.alloc(RECORD_BYTES);
    const fault = (offset: number, message: string) =>
      imageError({ file: this.name, offset }, message, 'Make it with: ssi-image cache export');
    for (let offset = 0; ; ) {
      if (offset + RECORD_BYTES > this.source.size) throw fault(offset, 'the archive ends before its end');
      this.source.readInto(record, offset);
      if (record.every((byte) => byte === 0)) return;
      const header = hasValidChecksum(record) ? decodeHeader(record) : 'no header of a tar archive is here';
      if (typeof header === 'string') throw fault(offset, header);
      const { name } = header;
      if (!OBJECT_NAME.test(name) || header.type !== '0')
        throw fault(offset, 'the archive holds something that is no part of a cache');
      if (!(header.size >= 0 && header.size <= OBJECT_BYTES_MAX))
        throw fault(offset, 'a member is longer than any part of a cache');
      if (this.places.size >= OBJECTS_MAX) throw fault(offset, 'the archive has more members than any cache');
      const start = offset + RECORD_BYTES;
      if (start + header.size > this.source.size) throw fault(offset, 'the archive ends before its end');
      this.places.set(name, { offset: start, size: header.size });
      offset = start + Math.ceil(header.size / RECORD_BYTES) * RECORD_BYTES;
    }
  }
}
