import { createHash } from 'node:crypto';
import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { DiagnosticError, imageError, usageError } from '../diagnostic.js';
import { type LockTable, parseLockTable } from './config.js';

/*
 * What stands in the data area of a cidev that this project writes: the text of gfscf.cf behind a small header. This
 * is the project's own envelope. The byte format that the period's gfsconf wrote is not known to anyone we could ask
 * (format document §11), and no period tool reads this.
 *
 *   0  24  magic "SSI-IMAGES LOCK TABLE", padded with NUL
 *  24   4  version, big-endian
 *  28   4  length of the text in bytes, big-endian
 *  32  32  SHA-256 of the text
 *  64      the text
 */
const MAGIC = Buffer.from('SSI-IMAGES LOCK TABLE\0\0\0', 'latin1');
const VERSION = 1;
const HEADER_BYTES = 64;
const TEXT_BYTES_MAX = 1024 * 1024;

/** A lock table out of its envelope. */
export interface EnvelopeContent {
  readonly text: string;
  readonly config: LockTable;
}

/** Writes the envelope to the start of a cidev's data area. Throws a DiagnosticError when it does not fit. */
export function writeEnvelope(sink: ByteSink, text: string): void {
  const body = Buffer.from(text, 'utf8');
  const needed = HEADER_BYTES + body.length;
  if (body.length > TEXT_BYTES_MAX || needed > sink.size) {
    throw usageError(
      `the lock table needs ${needed} bytes, the cidev ${sink.name} has ${sink.size}`,
      'Make the cidev larger.',
    );
  }
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(VERSION, 24);
  header.writeUInt32BE(body.length, 28);
  createHash('sha256').update(body).digest().copy(header, 32);
  sink.write(Buffer.concat([header, body]), 0);
}

/** Reads the envelope. Undefined where there is none; throws a DiagnosticError where it is damaged. */
export function readEnvelope(source: ByteSource): EnvelopeContent | undefined {
  if (source.size < HEADER_BYTES) return undefined;
  const header = readBytes(source, 0, HEADER_BYTES);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const fail = (message: string) =>
    imageError(
      { file: source.name, offset: 0 },
      `lock table: ${message}`,
      'Write it again with "ssi-image gfsconf".',
    );
  const version = header.readUInt32BE(24);
  const length = header.readUInt32BE(28);
  if (version !== VERSION) throw fail(`version ${version} of the envelope is not known here`);
  if (length > TEXT_BYTES_MAX || HEADER_BYTES + length > source.size)
    throw fail(`${length} bytes of text do not fit`);
  const body = readBytes(source, HEADER_BYTES, length);
  if (!createHash('sha256').update(body).digest().equals(header.subarray(32, 64)))
    throw fail('its text does not match its digest');
  const text = body.toString('utf8');
  try {
    return { text, config: parseLockTable(text, source.name) };
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    // The image is at fault, not a file that the user could correct at a line: the first fault tells enough.
    const [first] = error.diagnostics;
    const place = first?.location?.line === undefined ? '' : `line ${first.location.line}: `;
    throw fail(`its text is no lock table: ${place}${first?.message ?? 'damaged'}`);
  }
}
