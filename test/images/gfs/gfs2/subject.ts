import type { Attributes, FileNode } from '../../../../images/tree/node.js';
import type { Tree } from '../../../../images/tree/tree.js';
import { TreeBuilder } from '../../../../images/tree/tree-builder.js';
import { collidingNames } from '../../../fixtures/colliding-names.js';
import { patternContent } from '../../../fixtures/pattern-source.js';

const plain: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1_000_000_000, nanoseconds: 123_456_789 },
};

function file(size: number, attributes = plain): FileNode {
  const runs: readonly (readonly [number, number])[] = size === 0 ? [] : [[0, size]];
  return { ...attributes, type: 'file', size, content: patternContent(1, runs) };
}

function withAttributes(...xattrs: readonly (readonly [name: string, bytes: number])[]): Attributes {
  return { ...plain, xattrs: new Map(xattrs.map(([name, bytes]) => [name, Buffer.alloc(bytes, 7)])) };
}

/** What is damaged in the seeded tests: one of everything, for blocks of 1024 bytes. */
export function gfs2Subject(withChains = true): Tree {
  const builder = new TreeBuilder({ ...plain, mode: 0o755 });
  builder.put('/stuffed', file(100));
  builder.put('/flat', file(5000));
  builder.put('/tall', file(200_000));
  builder.put('/owned', file(2000, { ...plain, uid: 3, gid: 4 }));
  builder.put('/link-1', file(10));
  builder.link('/link-2', '/link-1');
  builder.put('/symlink', { ...plain, type: 'symlink', target: 'a/target' });
  builder.put('/device', { ...plain, type: 'block', major: 98, minor: 0 });
  builder.put('/attributes', file(1, withAttributes(['user.a', 20], ['user.b', 30])));
  builder.put('/large-attribute', file(1, withAttributes(['user.large', 3000])));
  builder.put('/many-attributes', file(1, withAttributes(['user.a', 700], ['user.b', 700], ['user.c', 700])));
  builder.put('/dir/sub/deep', file(0));
  builder.put('/dir/file', file(0));
  builder.put('/dir/next', file(0));
  for (let index = 0; index < 60; index++) builder.put(`/hashed/name-${index}`, file(0));
  for (let index = 0; index < 800; index++) builder.put(`/large/name-${index}`, file(0));
  for (const name of collidingNames(withChains ? 30 : 0)) builder.put(`/chained/${name}`, file(0));
  return builder.build();
}
