import { statSync } from 'node:fs';
import { type ByteSource, FileSource } from '../images/bytes/byte-source.js';
import type { DataMap } from '../images/bytes/data-map.js';
import { readableHostError } from '../images/bytes/host-error.js';
import { type ByteSink, SparseFile } from '../images/bytes/sparse-file.js';
import { hostError, usageError } from '../images/diagnostic.js';
import type { PoolConfig } from '../images/pool/config.js';
import { labelsFor, writePoolLabel } from '../images/pool/label.js';
import { hasPoolLabel, openPool, openPoolForWriting } from '../images/pool/pool.js';

/** An image that a command reads and writes in place: the bare device, or the pool's address space. */
export interface WritableImage {
  readonly source: ByteSource;
  readonly sink: ByteSink;
  readonly pooled: boolean;
  /** Writes what is buffered and closes. */
  close(): void;
  /** Closes without writing what is still buffered. */
  abandon(): void;
}

/** Opens an image for writing. `others` are further devices of the same pool; messages call the image `name`. */
export function openWritable(
  path: string,
  others: readonly string[] = [],
  name: string = path,
): WritableImage {
  const files: SparseFile[] = [];
  const sources: FileSource[] = [];
  const abandon = (): void => {
    for (const file of files) file.abandon();
    for (const source of sources) source.close();
  };
  try {
    for (const device of [path, ...others]) {
      const shown = device === path ? name : device;
      checkWritableKind(device);
      files.push(SparseFile.open(device, shown));
      sources.push(new FileSource(device, shown));
    }
    const [first] = sources;
    const [file] = files;
    if (first === undefined || file === undefined) throw usageError('no image given');
    const close = (): void => {
      for (const each of files) each.close();
      for (const each of sources) each.close();
    };
    if (hasPoolLabel(first)) {
      return {
        source: openPool(sources),
        sink: openPoolForWriting(sources, files),
        pooled: true,
        close,
        abandon,
      };
    }
    if (others.length > 0) throw usageError(`${path} has no pool label, so no further devices belong to it`);
    return { source: first, sink: file, pooled: false, close, abandon };
  } catch (error) {
    abandon();
    throw error;
  }
}

/** A pool on a new image. */
export interface NewPool extends WritableImage {
  /** What of the image has data, once it is closed. */
  readonly data: DataMap | undefined;
}

/** Makes an image of `size` bytes, the only device of a pool, and opens the pool for writing. */
export function createPool(path: string, size: number, config: PoolConfig): NewPool {
  const file = SparseFile.create(path, size);
  let source: FileSource | undefined;
  const abandon = (): void => {
    file.abandon();
    source?.close();
  };
  try {
    for (const label of labelsFor(config, [size])) file.write(writePoolLabel(label), 0);
    file.flush();
    source = new FileSource(path);
    const devices = [source];
    const close = (): void => {
      file.close();
      source?.close();
    };
    const [pool, sink] = [openPool(devices), openPoolForWriting(devices, [file])];
    return { source: pool, sink, pooled: true, data: file.data, close, abandon };
  } catch (error) {
    abandon();
    throw error;
  }
}

function checkWritableKind(path: string): void {
  let status: ReturnType<typeof statSync>;
  try {
    status = statSync(path);
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  if (!status.isFile() && !status.isBlockDevice()) {
    throw hostError('not an image: neither a file nor a block device', undefined, { file: path });
  }
}
