import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { textFromByteString } from '../../images/bytes/byte-string.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError, imageError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import { openContent } from '../../images/tree/content-source.js';
import type { FileNode } from '../../images/tree/node.js';
import { type Compression, compressionOf } from '../compression.js';
import { decodeFile } from '../decode-file.js';
import type { KernelModule } from './kernel-modules.js';

/** The largest module of Linux has some ten MiB. */
const MODULE_BYTES_MAX = 128 * 1024 * 1024;

export interface UncompressOptions {
  /** Folder for temporary files; by default the system's. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/**
 * A module's file as insmod takes it: what is compressed is decompressed, since an insmod such as busybox's may know
 * none of it. Throws a DiagnosticError on damage, a missing program, or more bytes than a module has.
 */
export async function uncompressedModule(
  module: KernelModule,
  options: UncompressOptions = {},
): Promise<FileNode> {
  const { node } = module;
  const path = textFromByteString(module.path);
  const source = openContent(node, path);
  let compression: Compression | undefined;
  try {
    compression = compressionOf(source);
  } finally {
    source.close();
  }
  if (node.size > MODULE_BYTES_MAX) throw tooLarge(path);
  if (compression === undefined) return node;
  const bytes = await decoded(readContent(node.content, node.size), compression, path, options);
  return { ...node, size: bytes.length, content: { kind: 'inline', bytes } };
}

/** The decoders take files. */
async function decoded(
  bytes: Uint8Array,
  compression: Compression,
  path: string,
  { scratch = tmpdir(), signal }: UncompressOptions,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  const sink = {
    write: (piece: Uint8Array): void => {
      length += piece.length;
      if (length > MODULE_BYTES_MAX) throw tooLarge(path);
      pieces.push(Buffer.from(piece));
    },
  };
  let folder: string | undefined;
  let file = scratch;
  try {
    folder = mkdtempSync(join(scratch, 'ssi-images-'));
    file = join(folder, 'module');
    writeFileSync(file, bytes);
    await decodeFile(file, compression, sink, signal === undefined ? {} : { signal });
    return Buffer.concat(pieces);
  } catch (error) {
    throw error instanceof DiagnosticError ? named(error, file, path) : readableHostError(error, file);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The user knows the module, not the temporary file. */
function named(error: DiagnosticError, file: string, path: string): DiagnosticError {
  const diagnostics = error.diagnostics.map((diagnostic) => ({
    ...diagnostic,
    message: diagnostic.message.replaceAll(file, path),
    ...(diagnostic.kind === 'image' ? { location: { path } } : {}),
  }));
  return new DiagnosticError(diagnostics, { cause: error });
}

function tooLarge(path: string): DiagnosticError {
  return imageError({ path }, `more than ${MODULE_BYTES_MAX} bytes: that is no kernel module`);
}
