import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { Gfs2Filesystem } from '../../images/gfs/gfs2/reader.js';
import { treeOfFilesystem } from '../../images/tree/from-filesystem.js';
import { compareListings } from '../support/compare-listings.js';
import { makeGfs2 } from '../support/gfs2-image.js';
import { expectNoReports, GFS2_JUDGE_TOOLS } from '../support/judge-gfs2.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';
import { runUml } from '../support/uml.js';
import { listThroughKernel } from '../support/uml-mount.js';

const folder = temporaryFolder();

/** Something of everything, made by the kernel's own driver. */
const script = `set -e
mount -t gfs2 -o lockproto=lock_nolock,acl /dev/ubda /mnt
cd /mnt
mkdir linear hashed deep deep/er linear/mode
chmod 1777 linear/mode
i=0
while [ $i -lt 1500 ]; do echo $i > hashed/a-name-of-some-length-$i; i=$((i + 1)); done
i=0
while [ $i -lt 500 ]; do rm hashed/a-name-of-some-length-$((i * 3)); i=$((i + 1)); done
printf x > deep/er/one
: > deep/er/empty
dd if=/dev/urandom of=linear/stuffed bs=700 count=1
dd if=/dev/urandom of=linear/block bs=4096 count=1
dd if=/dev/urandom of=linear/large bs=65536 count=100
dd if=/dev/urandom of=linear/sparse bs=1000 count=1 seek=3000000
dd if=/dev/urandom of=linear/sparse bs=1000 count=1 seek=70000 conv=notrunc
ln linear/block deep/er/linked
ln -s ../linear/block deep/link
mkfifo linear/fifo
mknod linear/null c 1 3
mknod linear/ubda b 98 0
chown 12345:54321 linear/stuffed
chmod 4751 linear/stuffed
setfattr -n user.short -v value linear/stuffed
setfattr -n user.empty linear/stuffed
setfattr -n trusted.t -v 'a value' linear
setfattr -h -n trusted.l -v 'of a link' deep/link
setfattr -n security.x -v 0x000102 linear/large
large=$(dd if=/dev/zero bs=1000 count=3 | tr '\\0' y)
setfattr -n user.large1 -v $large linear/block
setfattr -n user.large2 -v $large linear/block
setfattr -n user.large3 -v $large linear/block
setfattr -n user.huge -v $(dd if=/dev/zero bs=1000 count=20 | tr '\\0' z) linear/block
setfattr -x user.large2 linear/block
setfacl -m u:1000:rw,g:77:r linear/large
setfacl -d -m u:1000:rwx linear
cd /
umount /mnt
`;

describeWith([...GFS2_JUDGE_TOOLS, 'setfattr', 'setfacl'], 'GFS2 that the kernel wrote', () => {
  test.each([1024, 4096])('in blocks of %i bytes', async (blockSize) => {
    const image = join(folder, `kernel.${blockSize}`);
    makeGfs2(image, 128 * 1024 ** 2, '-b', `${blockSize}`);
    await runUml({
      scratch: folder,
      timeout: 300_000,
      disks: [{ path: image, readOnly: false }],
      programs: ['setfattr', 'setfacl'],
      modules: ['gfs2'],
      script,
    });
    await expectNoReports(image);
    const listing = await listThroughKernel(image, {
      readOnly: true,
      fsType: 'gfs2',
      mountOptions: 'acl',
      timeout: 300_000,
      scratch: folder,
      attributes: true,
    });
    const filesystem = new Gfs2Filesystem(new FileSource(image));
    const tree = await treeOfFilesystem(filesystem, new Pace());
    expect(listing.size).toBeGreaterThan(1000);
    // This kernel shows the numbers of devices it did not just make as 0,0 (docs/gfs2-format.md §5).
    expect(compareListings(tree, listing).slice(0, 20)).toEqual([
      '/linear/null: device is 0,0, should be 1,3',
      '/linear/ubda: device is 0,0, should be 98,0',
    ]);
    filesystem.close();
  });
});
