import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readableHostError } from '../../images/bytes/host-error.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { PartialFile } from './partial-file.js';
import { TransferFault } from './transfer-fault.js';

const PIECE_BYTES = 1024 * 1024;

export interface CopyOptions {
  /** The URL as messages have it. */
  readonly shown: string;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  onBytes(received: number, total: number): void;
}

/**
 * Copies what a file: URL names, from its beginning. Throws a TransferFault when it can't be read, and a
 * DiagnosticError when the disk of `partial` fails or the signal ends it.
 */
export async function copyLocal(url: URL, partial: PartialFile, options: CopyOptions): Promise<void> {
  const file = await reading(options, async () => {
    // A pipe of that name must not hold us up.
    return open(fileURLToPath(url), constants.O_RDONLY | constants.O_NONBLOCK);
  });
  try {
    await copyFrom(file, partial, options);
  } finally {
    await file.close();
  }
}

async function copyFrom(file: FileHandle, partial: PartialFile, options: CopyOptions): Promise<void> {
  const { shown, maxBytes, signal } = options;
  const status = await reading(options, () => file.stat());
  if (!status.isFile()) throw new TransferFault(shown, 'it is not a file', { hint: 'Name a file.' });
  if (status.size > maxBytes)
    throw new TransferFault(shown, `it is larger than ${maxBytes} bytes, the most that is accepted`);
  await partial.restart({ url: shown, total: status.size });
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  while (partial.length < status.size) {
    if (signal?.aborted === true) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
    const wanted = Math.min(buffer.length, status.size - partial.length);
    const { bytesRead } = await reading(options, () => file.read(buffer, 0, wanted, partial.length));
    if (bytesRead === 0) {
      await partial.restart();
      throw new TransferFault(shown, 'the file became shorter while it was read');
    }
    await partial.append(buffer.subarray(0, bytesRead));
    options.onBytes(partial.length, status.size);
  }
}

async function reading<T>({ shown }: CopyOptions, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    let reason = cause instanceof Error ? cause.message : String(cause);
    try {
      reason = readableHostError(cause, shown).diagnostics[0]?.message ?? reason;
    } catch {
      // Not of the system: a URL with a host, or with an encoded slash.
    }
    throw new TransferFault(shown, reason, { hint: 'Correct the path in the recipe.', cause });
  }
}
