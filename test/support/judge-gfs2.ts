import { expect } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { checkGfs2 } from '../../images/gfs/gfs2/check/check.js';
import type { Tree } from '../../images/tree/tree.js';
import { compareListings } from './compare-listings.js';
import { FSCK_TOOLS, fsckGfs2 } from './fsck-gfs2.js';
import { MKFS_GFS2_TOOLS } from './gfs2-image.js';
import { runUml } from './uml.js';
import { listThroughKernel, UML_ATTRIBUTE_TOOLS } from './uml-mount.js';

/** What the judgement of a GFS2 image needs on the host, for `testWith`. */
export const GFS2_JUDGE_TOOLS: readonly string[] = [
  ...MKFS_GFS2_TOOLS,
  ...FSCK_TOOLS,
  ...UML_ATTRIBUTE_TOOLS,
];

export interface Gfs2Judgement {
  readonly image: string;
  /** What the image should hold. */
  readonly tree: Tree;
  readonly scratch: string;
  /** Files above this are read in part only by the kernel. */
  readonly wholeFilesUpTo?: number;
}

/**
 * fsck.gfs2 -n must end with 0 and say nothing, and our own checker must find nothing; `quotaValues` are right as long
 * as no kernel has written.
 */
export async function expectNoReports(image: string, quotaValues = false): Promise<void> {
  const { status, reports } = fsckGfs2(image, '-n');
  expect(reports).toEqual([]);
  expect(status).toBe(0);
  const source = new FileSource(image);
  const { faults } = await checkGfs2(source, { pace: new Pace(), quotaValues });
  source.close();
  expect(faults.slice(0, 20)).toEqual([]);
}

/**
 * Lets fsck.gfs2 and the kernel's gfs2 module judge an image: every name, attribute (nanoseconds, device numbers and
 * extended attributes among them) and content must be that of the Tree.
 */
export async function expectGfs2Accepted(judgement: Gfs2Judgement): Promise<void> {
  const { image, tree, scratch, wholeFilesUpTo } = judgement;
  await expectNoReports(image, true);
  const listing = await listThroughKernel(image, {
    readOnly: true,
    fsType: 'gfs2',
    mountOptions: 'acl',
    timeout: 900_000,
    scratch,
    attributes: true,
    ...(wholeFilesUpTo === undefined ? {} : { wholeFilesUpTo }),
  });
  expect(listing.size).toBe([...tree.entries()].length);
  expect(compareListings(tree, listing).slice(0, 20)).toEqual([]);
}

/**
 * Everything that changes metadata: the kernel must be able to go on where the writer stopped. No large files are
 * removed: where the journals are small User-Mode Linux can hang at that, whoever wrote the filesystem
 * (pipelines/ramdisk/gfs2-log-daemon.ts).
 */
const writing = `set -e
mount -t gfs2 -o lockproto=lock_nolock,acl,quota=account /dev/ubda /mnt
cd /mnt
mkdir new-directory
i=0
while [ $i -lt 1000 ]; do echo $i > new-directory/name-$i; i=$((i + 1)); done
dd if=/dev/urandom of=new-directory/large bs=65536 count=64
for file in $(find . -type f -size -64k 2>/dev/null | grep -v '[^-./a-z0-9]' | head -n 200); do echo more >> "$file"; done
i=0
while [ $i -lt 1000 ]; do mv new-directory/name-$i new-directory/another-name-$i; i=$((i + 1)); done
mv new-directory/large large-at-the-root
chown 4711:4712 new-directory/another-name-999
ln new-directory/another-name-998 linked
find . -type f -size -2048k 2>/dev/null | grep -v '[^-./a-z0-9]' | head -n 1000 > /tmp/remove
[ $(wc -l < /tmp/remove) -eq 1000 ]
xargs rm -f < /tmp/remove
cd /
umount /mnt
`;

/** Mounts the image for writing, creates, appends, renames and removes a thousand files each; then fsck.gfs2 again. */
export async function expectWritable(image: string, scratch: string): Promise<void> {
  await runUml({
    scratch,
    timeout: 600_000,
    disks: [{ path: image, readOnly: false }],
    programs: [],
    modules: ['gfs2'],
    script: writing,
  });
  await expectNoReports(image);
}
