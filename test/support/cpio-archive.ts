/** One entry of an initramfs. A path without a leading slash; folders must come before what lies in them. */
export interface InitramfsEntry {
  readonly path: string;
  /** File type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly data?: Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

const TRAILER = 'TRAILER!!!';

/**
 * A cpio archive in the kernel's `newc` format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
 * The harness has its own writer: it must not lean on the code that it judges.
 */
export function cpioArchive(entries: readonly InitramfsEntry[]): Buffer {
  const pieces: Buffer[] = [];
  for (const [index, entry] of [...entries, { path: TRAILER, mode: 0 }].entries()) {
    const name = Buffer.from(`${entry.path}\0`, 'latin1');
    const data = entry.data ?? new Uint8Array(0);
    const [major, minor] = entry.device ?? [0, 0];
    const fields = [
      index + 1, // inode
      entry.mode,
      0, // uid
      0, // gid
      1, // links
      0, // mtime
      data.length,
      0, // device the file lies on
      0,
      major,
      minor,
      name.length,
      0, // checksum
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    pieces.push(padded(Buffer.concat([Buffer.from(header, 'latin1'), name])), padded(Buffer.from(data)));
  }
  return Buffer.concat(pieces);
}

/** Header with name, and data, each end on a multiple of four bytes. */
function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}
