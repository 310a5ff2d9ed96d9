import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { dialectGeometry, OPENGFS } from '../../../images/gfs/dialect.js';
import { planDirectory } from '../../../images/gfs/directory-plan.js';
import { MKFS_DEFAULTS, makeFilesystem } from '../../../images/gfs/mkfs.js';
import { OpenGfsFilesystem } from '../../../images/gfs/reader.js';
import { summarise } from '../../../images/gfs/summary.js';
import { populate } from '../../../images/gfs/writer.js';
import { lookUp } from '../../../images/tree/lookup.js';
import type { Attributes, FileNode } from '../../../images/tree/node.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { golden } from '../../fixtures/golden.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
const attributes: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1030000000, nanoseconds: 0 },
};

/** A file whose bytes are nowhere zero for a whole block, or the given extents of such bytes. */
function file(size: number, holes = false): FileNode {
  const bytes = Buffer.alloc(size);
  for (let offset = 0; offset < size; offset += 64) bytes[offset] = holes && offset % 40960 >= 4096 ? 0 : 1;
  return { ...attributes, type: 'file', size, content: { kind: 'inline', bytes } };
}

test('the populated tree of the golden facts has the same blocks, heights, depths and leaves', async () => {
  const proof = golden.populated_proof;
  const builder = new TreeBuilder({ ...attributes, mode: 0o755 });
  for (const entry of proof.tree) {
    const path = entry.path;
    if (entry.type === 2) builder.directory(path, { ...attributes, mode: Number(entry.mode) });
    else if (entry.type === 1) builder.put(path, file(entry.size, path === '/sparse'));
    else if (entry.type === 5)
      builder.put(path, { ...attributes, type: 'symlink', target: 'x'.repeat(entry.size) });
    else if (entry.type === 7 || entry.type === 8) {
      const [major = 0, minor = 0] = entry.dev ?? [];
      builder.put(path, { ...attributes, type: entry.type === 7 ? 'block' : 'character', major, minor });
    } else builder.put(path, { ...attributes, type: entry.type === 101 ? 'fifo' : 'socket' });
  }
  builder.link('/hello.hard', '/hello.txt');
  for (let index = 0; index < 300; index++) {
    builder.put(`/many/file-${String(index).padStart(4, '0')}`, file(`${index}\n`.length));
  }
  const path = join(folder, 'proof');
  const sink = SparseFile.create(path, 64 * 1024 ** 2);
  const parameters = golden.images[proof.base]!.parameters;
  makeFilesystem(sink, {
    ...MKFS_DEFAULTS,
    journals: parameters.journals,
    journalMiB: parameters.journal_MiB,
    expert: true,
    lockProtocol: parameters.lockproto,
    lockTable: parameters.locktable,
    time: 1030000000,
  });
  sink.flush();
  const source = new FileSource(path);
  await populate({ source, sink }, builder.build(), { pace: new Pace() });
  sink.close();

  const summary = await summarise(source, new Pace());
  expect(summary.usedDinodes).toBe(proof.rgrps.reduce((sum, group) => sum + group.useddi, 0));
  expect(summary.freeBlocks).toBe(proof.rgrps.reduce((sum, group) => sum + group.free, 0));
  const filesystem = new OpenGfsFilesystem(source);
  for (const entry of proof.tree) {
    const { dinode } = filesystem.image.readDinode(lookUp(filesystem, entry.path).inode, entry.path);
    expect(
      {
        type: dinode.type,
        links: dinode.links,
        size: dinode.size,
        blocks: dinode.blocks,
        height: dinode.height,
      },
      entry.path,
    ).toEqual({
      type: entry.type,
      links: entry.nlink,
      size: entry.size,
      blocks: entry.blocks,
      height: entry.height,
    });
    if (entry.type === 2) {
      expect({ entries: dinode.entries, depth: dinode.depth, flags: dinode.flags }, entry.path).toEqual({
        entries: entry.entries,
        depth: entry.depth,
        flags: entry.flags,
      });
    }
  }
  filesystem.close();

  const names = Array.from({ length: 300 }, (_, index) => `file-${String(index).padStart(4, '0')}`);
  const plan = planDirectory(dialectGeometry(OPENGFS, 4096), names);
  const table = proof.tree.find((entry) => entry.path === '/many')?.hash_table;
  expect(
    plan.kind === 'hashed' &&
      plan.leaves.map((leaf) => [leaf.firstPointer, leaf.pointers, leaf.depth, leaf.chain.flat().length]),
  ).toEqual(table?.map((leaf) => [leaf.first_index, leaf.count, leaf.lf_depth, leaf.lf_entries]));
});
