import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { populate } from '../../images/gfs/writer.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { MKFS_GFS2_TOOLS, makeGfs2 } from '../support/gfs2-image.js';
import { ssiImage, ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';

const folder = temporaryFolder();
const image = join(folder, 'image');
const source = join(folder, 'source');
const plain = { mode: 0o644, uid: 1, gid: 2, mtime: { seconds: 1_000_000_000, nanoseconds: 5 } };

describeWith(MKFS_GFS2_TOOLS, 'commands on GFS2', () => {
  beforeAll(async () => {
    const builder = new TreeBuilder();
    const bytes = Buffer.from('content\n');
    const xattrs = new Map([['user.a', Buffer.from('1')]]);
    builder.put('/dir/file', {
      ...plain,
      xattrs,
      type: 'file',
      size: bytes.length,
      content: { kind: 'inline', bytes },
    });
    builder.put('/dir/device', { ...plain, type: 'block', major: 98, minor: 16 });
    makeGfs2(source, 64 * 1024 ** 2, '-b', '1024');
    const sink = SparseFile.open(source);
    await populate({ source: new FileSource(source), sink }, builder.build(), { pace: new Pace() });
    sink.close();
    makeGfs2(image, 64 * 1024 ** 2, '-U', '1b4e28ba-2fa1-11d2-883f-b9a761bde3fb');
  });

  test('copy-in fills it, and not a second time', () => {
    expect(ssiImageOutput(['copy-in', source, image])).toContain('4 inodes and 8 B of data');
    const { status, stderr } = ssiImage(['copy-in', source, image]);
    expect(status).toBe(1);
    expect(stderr).toContain('the filesystem is not empty: it has 15 inodes (12 when new)');
  });

  test('diff finds nothing that differs from the source', () => {
    expect(ssiImage(['diff', source, image])).toMatchObject({ status: 0, stdout: '' });
  });

  test('info', () => {
    expect(JSON.parse(ssiImageOutput(['info', '--json', image]))).toMatchObject({
      kind: 'gfs2',
      gfs2: {
        uuid: '1b4e28ba-2fa1-11d2-883f-b9a761bde3fb',
        blockSize: 4096,
        lockProtocol: 'lock_nolock',
        lockTable: 'ssi:test',
        journals: [8 * 1024 ** 2],
        usedDinodes: 15,
        ownDinodes: 12,
      },
    });
    const text = ssiImageOutput(['info', image]);
    expect(text).toMatch(/content: +GFS2 filesystem, format 180\d\/1900\n/);
    expect(text).toMatch(/journals: +1 of 8\.0 MiB\n/);
  });

  test('ls, cat, stat and extract', () => {
    const lines = ssiImageOutput(['ls', '-R', '--json', '--digest', image]).trimEnd().split('\n');
    const listing = lines.map((line) => JSON.parse(line) as { path: string });
    expect(listing.map(({ path }) => path)).toEqual(['/', '/dir', '/dir/device', '/dir/file']);
    expect(listing[2]).toMatchObject({ type: 'block', rdev: '98,16' });
    expect(listing[3]).toMatchObject({ mtimeNanoseconds: 5, uid: 1, gid: 2, xattrs: { 'user.a': 'MQ==' } });
    expect(ssiImageOutput(['cat', image, '/dir/file'])).toBe('content\n');
    expect(ssiImageOutput(['stat', image, '/dir/file'])).toMatch(/xattr user\.a: +31\n/);
    expect(ssiImage(['extract', image, '/dir/file', join(folder, 'extracted')]).status).toBe(0);
  });

  test('fsck', () => {
    expect(ssiImageOutput(['fsck', image])).toContain(': clean, 15 inodes (2 directories), ');
    const { status, stdout } = ssiImage(['fsck', '--json', image]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ faults: [], inodes: 15, files: 1 });
  });
});
