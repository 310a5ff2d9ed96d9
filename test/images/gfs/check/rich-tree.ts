import { capacityOf } from '../../../../images/gfs/block-tree.js';
import { dialectGeometry, OPENGFS } from '../../../../images/gfs/dialect.js';
import type { Attributes, FileNode } from '../../../../images/tree/node.js';
import type { Tree } from '../../../../images/tree/tree.js';
import { TreeBuilder } from '../../../../images/tree/tree-builder.js';
import { collidingNames } from '../../../fixtures/colliding-names.js';
import { patternContent } from '../../../fixtures/pattern-source.js';

const plain: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1_000_000_000, nanoseconds: 0 },
};

/** A file with data in a few places, holes between. */
function file(size: number, runs: readonly (readonly [number, number])[], attributes = plain): FileNode {
  return { ...attributes, type: 'file', size, content: patternContent(size, runs) };
}

function full(size: number, attributes = plain): FileNode {
  return file(size, size === 0 ? [] : [[0, size]], attributes);
}

/** Every type of inode, heights from 0 to 3, holes, hard links, all forms of directories, ids of all sizes. */
export function richTree(blockSize: number): Tree {
  const geometry = dialectGeometry(OPENGFS, blockSize);
  const builder = new TreeBuilder({ ...plain, mode: 0o755 });
  for (let height = 0; height < 3; height++) {
    const capacity = capacityOf(geometry, height, false);
    for (const size of [capacity, capacity + 1]) {
      const runs =
        size < 200_000
          ? ([[0, size]] as const)
          : ([
              [0, 5000],
              [size - 5000, 5000],
            ] as const);
      builder.put(`/files/height-${height}-${size}`, file(size, runs));
    }
  }
  builder.put('/files/empty', full(0));
  builder.put(
    '/files/holes',
    file(1_000_000, [
      [300_000, 100],
      [999_999, 1],
    ]),
  );
  builder.put('/files/only-hole', file(5_000_000, []));
  builder.put('/links/first', full(3 * blockSize));
  builder.link('/links/second', '/links/first');
  builder.link('/third', '/links/first');
  builder.put('/special/symlink', { ...plain, type: 'symlink', target: 'a'.repeat(60) });
  builder.put('/special/longest', { ...plain, type: 'symlink', target: 'b'.repeat(blockSize - 233) });
  builder.put('/special/block', { ...plain, type: 'block', major: 98, minor: 16 });
  builder.put('/special/character', { ...plain, type: 'character', major: 5, minor: 1 });
  builder.put('/special/fifo', { ...plain, type: 'fifo' });
  builder.put('/special/socket', { ...plain, type: 'socket' });
  for (const id of [1, 500, 65_535, 65_536, 100_000, 0xfffffffe]) {
    builder.put(`/owners/${id}`, full(blockSize * 2, { ...plain, uid: id, gid: id }));
  }
  for (let index = 0; index < 300; index++) builder.put(`/many/file-${index}`, full(index));
  for (let index = 0; index < 5000; index++) {
    if (index % 10 === 0) builder.put(`/crowd/file-${index}`, full(0));
    else builder.link(`/crowd/file-${index}`, `/crowd/file-${index - (index % 10)}`);
  }
  for (let index = 0; index < 20; index++)
    builder.directory(`/nested/${'d/'.repeat(index)}`, { ...plain, mode: 0o1777 });
  for (const name of collidingNames(120)) builder.put(`/collisions/${name}`, full(0));
  return builder.build();
}
