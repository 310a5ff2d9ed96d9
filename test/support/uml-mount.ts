import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSource, readBytes } from '../../images/bytes/byte-source.js';
import {
  FIND_FORMAT,
  type KernelListing,
  parseListing,
  SAMPLE_BYTES,
  SAMPLED_BYTES,
} from './kernel-listing.js';
import { runUml, UML_TOOLS } from './uml.js';

/** What `listThroughKernel` needs on the host, for `testWith`. */
export const UML_MOUNT_TOOLS: readonly string[] = [...UML_TOOLS, 'find', 'xargs', 'sha256sum'];

/** What it needs with `attributes`. */
export const UML_ATTRIBUTE_TOOLS: readonly string[] = [...UML_MOUNT_TOOLS, 'stat', 'getfattr'];

export interface MountOptions {
  /** Images are never mounted for writing. */
  readonly readOnly: true;
  /** Type for mount, and name of the kernel module. */
  readonly fsType: string;
  /** Milliseconds until everything is killed. */
  readonly timeout: number;
  /** For `mount -o`, besides `ro`. */
  readonly mountOptions?: string;
  /**
   * Files larger than this many bytes are not read whole, only three MiB of them: the first, one in the middle and
   * the last. User-Mode Linux reads some 250 MB a second. At least SAMPLED_BYTES; without it all is read.
   */
  readonly wholeFilesUpTo?: number;
  /** Whether extended attributes and device numbers are read too; that needs getfattr and stat. */
  readonly attributes?: boolean;
  /** A folder for the temporary files; the system's by default. */
  readonly scratch?: string;
}

/** The result disk starts with a line of text in a piece of this size, which is written last. */
const HEADER_BYTES = 4096;

/** Room for what init reports; a sparse file, so only what is used counts. */
const RESULT_BYTES = 256 * 1024 * 1024;

/**
 * Mounts an image read-only with the kernel's own driver, in User-Mode Linux, and reads every name, attribute and
 * content. Throws, with the console in the message, when the image can't be mounted or a file can't be read.
 */
export async function listThroughKernel(image: string, options: MountOptions): Promise<KernelListing> {
  const scratch = mkdtempSync(join(options.scratch ?? tmpdir(), 'ssi-kernel-'));
  const result = join(scratch, 'result');
  try {
    writeFileSync(result, '');
    truncateSync(result, RESULT_BYTES);
    const console = await runUml({
      scratch,
      timeout: options.timeout,
      disks: [
        { path: image, readOnly: true },
        { path: result, readOnly: false },
      ],
      programs: ['find', 'xargs', 'sha256sum', ...(options.attributes === true ? ['stat', 'getfattr'] : [])],
      modules: [options.fsType],
      script: listingScript(options),
    });
    return readResult(result, options.attributes === true, console);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Every process costs much in User-Mode Linux: find and sha256sum run once for hundreds or all of the files. */
function listingScript(options: MountOptions): string {
  const gfs2 = options.fsType === 'gfs2' ? ['lockproto=lock_nolock'] : [];
  const given = options.mountOptions === undefined ? [] : [options.mountOptions];
  const mountOptions = ['ro', ...gfs2, ...given].join(',');
  const limit = Math.max(options.wholeFilesUpTo ?? Number.MAX_SAFE_INTEGER, SAMPLED_BYTES);
  return `set -e
mount -t ${options.fsType} -o ${mountOptions} /dev/ubda /mnt
cd /mnt
/bin/find . -printf '${FIND_FORMAT}' > /tmp/names
/bin/find . -type f ! -size +${limit}c -print0 > /tmp/files
/bin/find . -type f -size +${limit}c -print0 > /tmp/large
/bin/xargs -0 -r -n 500 /bin/sha256sum --zero -- < /tmp/files > /tmp/digests
cat > /tmp/sample <<'END'
{
  dd if="$1" bs=${SAMPLE_BYTES} count=1
  dd if="$1" bs=${SAMPLE_BYTES} count=1 skip=$(($(stat -c %s "$1") / 2 / ${SAMPLE_BYTES}))
  tail -c ${SAMPLE_BYTES} "$1"
} 2>/dev/null | sha256sum | head -c 64
printf ' *%s\\0' "$1"
END
/bin/xargs -0 -r -n 1 /bin/busybox sh /tmp/sample < /tmp/large >> /tmp/digests
: > /tmp/devices
: > /tmp/xattrs
${options.attributes === true ? readAttributes : ''}cd /
umount /mnt
{ dd if=/dev/zero bs=${HEADER_BYTES} count=1 2>/dev/null; cat /tmp/names /tmp/digests /tmp/devices /tmp/xattrs; } > /dev/ubdb
sync
echo "listing $(stat -c %s /tmp/names /tmp/digests /tmp/devices /tmp/xattrs | tr '\\n' ' ')" | dd of=/dev/ubdb conv=notrunc,sync bs=${HEADER_BYTES} 2>/dev/null
sync
`;
}

/** Only the attributes' own tools know names with any byte in them. */
const readAttributes = `/bin/find . '(' -type b -o -type c ')' -print0 | /bin/xargs -0 -r /bin/stat --printf '%t %T %n\\0' -- > /tmp/devices
/bin/getfattr -R -h -P -d -m - -e hex . > /tmp/xattrs
`;

function readResult(path: string, attributes: boolean, console: string): KernelListing {
  const source = new FileSource(path);
  try {
    const header = readBytes(source, 0, HEADER_BYTES).toString('latin1');
    const lengths = /^listing (\d+) (\d+) (\d+) (\d+) ?\n/.exec(header)?.slice(1).map(Number);
    if (lengths === undefined) throw new Error(`linux.uml left no result; the console showed:\n${console}`);
    let offset = HEADER_BYTES;
    const [names, digests, devices, xattrs] = lengths.map((length) => {
      const bytes = readBytes(source, offset, length);
      offset += length;
      return bytes;
    });
    return parseListing(
      names ?? Buffer.alloc(0),
      digests ?? Buffer.alloc(0),
      devices,
      attributes ? xattrs : undefined,
    );
  } finally {
    source.close();
  }
}
