import { expect, test } from 'vitest';
import { type ByteSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { byteString } from '../../../images/bytes/byte-string.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { piecesOf } from '../../../images/tree/content.js';
import type { Attributes, FileNode, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { decodeTree, encodeTree, sourcesOfTreeFile } from '../../../images/tree/tree-file.js';
import { nastyTree } from '../../fixtures/nasty-tree.js';
import { Random } from '../../fuzz/random.js';
import { deepTree, plain } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';

const source = new MemorySource(Buffer.alloc(100_000, 'source'), 'first');
const other = new MemorySource(Buffer.alloc(5000, 'other'), 'second');
const sources = new Map<string, ByteSource>([
  ['one', source],
  ['two', other],
]);

function nameOf(of: ByteSource): string {
  for (const [name, each] of sources) if (each === of) return name;
  throw new RangeError('an unknown source');
}

function open(name: string): ByteSource {
  const found = sources.get(name);
  if (found === undefined) throw new RangeError(`no source ${name}`);
  return found;
}

function inSource(
  from: ByteSource,
  size: number,
  extents: readonly (readonly [number, number, number])[],
): FileNode {
  const list = extents.map(([offset, position, length]) => ({ offset, position, length }));
  return { ...plain, type: 'file', size, content: { kind: 'extents', source: from, extents: () => list } };
}

const xattrs = new Map([
  ['user.b', Buffer.from([0, 255, 10])],
  ['user.a', Buffer.from('')],
  ['__proto__', Buffer.from('x')],
  ['10', Buffer.from('y')],
]);

/** Every kind of file, with everything it can have. */
function sampleTree(): Tree {
  const builder = new TreeBuilder(
    { ...plain, mode: 0o1777, uid: 4_294_967_295 },
    { nanoseconds: false, xattrs: true },
  );
  builder.put('inline', {
    ...plain,
    type: 'file',
    size: 3,
    content: { kind: 'inline', bytes: Buffer.from([0, 255, 10]) },
  });
  builder.put('empty', {
    ...plain,
    type: 'file',
    size: 0,
    content: { kind: 'inline', bytes: Buffer.alloc(0) },
  });
  builder.put('whole', inSource(source, 70_000, [[0, 20_000, 70_000]]));
  builder.put(
    'holes',
    inSource(other, 2 ** 40, [
      [5, 10, 20],
      [100, 0, 50],
      [2 ** 40 - 1, 4999, 1],
    ]),
  );
  builder.put('hole', inSource(source, 12_345, []));
  builder.put('attributes', {
    ...inSource(source, 5, [[0, 0, 5]]),
    xattrs,
    mode: 0o7777,
    mtime: { seconds: -5, nanoseconds: 999_999_999 },
  });
  builder.link('dir/linked', 'attributes');
  builder.put('symlink', {
    ...plain,
    type: 'symlink',
    target: byteString(Buffer.from([0xff, 0xfe, 0x2f, 10])),
  });
  builder.link('symlink2', 'symlink');
  builder.put('block', { ...plain, type: 'block', major: 98, minor: 16 });
  builder.put('character', { ...plain, type: 'character', major: 4095, minor: 1_048_575 });
  builder.put('fifo', { ...plain, type: 'fifo' });
  builder.put('socket', { ...plain, type: 'socket', xattrs });
  builder.directory('dir', { ...plain, mode: 0o2755, xattrs, mtime: { seconds: 2 ** 40, nanoseconds: 1 } });
  builder.directory('empty-dir', plain);
  builder.put(byteString(Buffer.from([0xc3, 0x28, 10, 0x22, 0x5c, 1])), inSource(source, 1, [[0, 0, 1]]));
  builder.put('\u00ff'.repeat(255), inSource(source, 1, [[0, 1, 1]]));
  return builder.build();
}

test('every kind of file comes back as it was', async () => {
  const tree = sampleTree();
  const bytes = encodeTree(tree, nameOf);
  const decoded = decodeTree(bytes, 'test', open);
  expect(decoded.fidelity).toEqual({ nanoseconds: false, xattrs: true });
  expect(await differencesOf(comparable(tree), comparable(decoded))).toEqual([]);
  const holes = decoded.get('holes');
  if (holes?.type !== 'file' || holes.content.kind !== 'extents') throw new Error('no extents');
  expect([...holes.content.extents()]).toEqual([
    { offset: 5, position: 10, length: 20 },
    { offset: 100, position: 0, length: 50 },
    { offset: 2 ** 40 - 1, position: 4999, length: 1 },
  ]);
  expect(decoded.get('attributes')).toBe(decoded.get('dir/linked'));
  expect(decoded.get('symlink')).toBe(decoded.get('symlink2'));
  expect(decoded.get('attributes')?.xattrs).toEqual(xattrs);
  expect([...sourcesOfTreeFile(bytes)].sort()).toEqual(['one', 'two']);
});

/** The Tree without the file that is too long to read, and with nothing left out of the comparison. */
function comparable(tree: Tree): Tree {
  const builder = TreeBuilder.from(tree);
  builder.remove('holes');
  return builder.build({ nanoseconds: true, xattrs: true });
}

test('the same Tree always gives the same bytes, in whatever order it was made', () => {
  const attributes: Attributes = { ...plain, xattrs };
  const reversed: Attributes = { ...plain, xattrs: new Map([...xattrs].reverse()) };
  const make = (names: readonly string[], each: Attributes): Buffer => {
    const builder = new TreeBuilder(each);
    for (const name of names) builder.directory(name, each);
    return encodeTree(builder.build(), nameOf);
  };
  expect(make(['a', 'b/c', 'b'], attributes)).toEqual(make(['b', 'b/c', 'a'], reversed));
  const bytes = encodeTree(sampleTree(), nameOf);
  expect(encodeTree(sampleTree(), nameOf)).toEqual(bytes);
  expect(encodeTree(decodeTree(bytes, 'test', open), nameOf)).toEqual(bytes);
});

test('the nasty tree comes back as it was', () => {
  const tree = nastyTree(4096);
  const pattern = new Map<string, ByteSource>();
  const identify = (of: ByteSource): string => {
    const known = [...pattern].find(([, each]) => each === of);
    if (known !== undefined) return known[0];
    pattern.set(`pattern ${pattern.size}`, of);
    return `pattern ${pattern.size - 1}`;
  };
  const bytes = encodeTree(tree, identify);
  const decoded = decodeTree(bytes, 'test', (name) => pattern.get(name)!);
  expect(encodeTree(decoded, identify)).toEqual(bytes);
  const lines = (of: Tree): string[] => [...of.entries()].map(({ path, node }) => `${path} ${shown(node)}`);
  expect(lines(decoded).join('\n') === lines(tree).join('\n')).toBe(true);
});

/** A node with its content written out, and without what lies below it. */
function shown(node: TreeNode): string {
  if (node.type === 'directory') return JSON.stringify({ ...node, entries: null });
  if (node.type !== 'file') return JSON.stringify(node);
  const { content, ...rest } = node;
  if (content.kind === 'host-file') return JSON.stringify(node);
  const where =
    content.kind === 'extents' ? [...content.extents()] : Buffer.from(content.bytes).toString('hex');
  return JSON.stringify({ ...rest, where });
}

test('a Tree with a file on the host, too long a path, or beyond all numbers, is refused', () => {
  const onHost = new TreeBuilder(plain);
  onHost.put('file', {
    ...plain,
    type: 'file',
    size: 1,
    content: { kind: 'host-file', path: Buffer.from('/x') },
  });
  expect(() => encodeTree(onHost.build(), nameOf)).toThrow('pack it first');
  expect(() => encodeTree(deepTree(16_500), nameOf)).toThrow(DiagnosticError);
  for (const wrong of [
    { ...plain, mtime: { seconds: Number.POSITIVE_INFINITY, nanoseconds: 0 } },
    { ...plain, uid: Number.NaN },
  ]) {
    const tree = new TreeBuilder(plain);
    tree.put('file', { ...wrong, type: 'fifo' });
    expect(() => encodeTree(tree.build(), nameOf)).toThrow('beyond all that a filesystem can hold');
  }
  const long = new TreeBuilder(plain);
  long.put('file', inSource(source, Number.POSITIVE_INFINITY, []));
  expect(() => encodeTree(long.build(), nameOf)).toThrow(DiagnosticError);
});

const head = '{"format":"ssi-images tree 1","fidelity":{"nanoseconds":true,"xattrs":true},"sources":["one"]}';
const root = '["d","/",493,0,0,0,0,0]';
const file = (rest: string, path = '"/f"'): string => `["f",${path},420,0,0,0,0,0,${rest}]`;

test.each([
  ['nothing', ''],
  ['no head', root],
  ['another format', `${head.replace('tree 1', 'tree 2')}\n${root}`],
  ['no fidelity', `${head.replace('"fidelity"', '"x"')}\n${root}`],
  ['sources that are none', `${head.replace('["one"]', '[1]')}\n${root}`],
  ['an unknown source', `${head.replace('["one"]', '["../../etc/passwd"]')}\n${root}`],
  ['no root', head],
  ['a row that is none', `${head}\n${root}\nnull`],
  ['half a row', `${head}\n${root}\n["d","/a"`],
  ['an empty line', `${head}\n${root}\n\n["d","/a",0,0,0,0,0,0]`],
  ['an unknown type', `${head}\n${root}\n["x","/a",0,0,0,0,0,0]`],
  ['no path', `${head}\n${root}\n["d",null,0,0,0,0,0,0]`],
  ['a path with ..', `${head}\n${root}\n["d","/../a",0,0,0,0,0,0]`],
  ['a name that is too long', `${head}\n${root}\n["d","/${'x'.repeat(256)}",0,0,0,0,0,0]`],
  ['a path that is too long', `${head}\n${root}\n["d","${'/x'.repeat(20_000)}",0,0,0,0,0,0]`],
  ['a path that is not made of bytes', `${head}\n${root}\n["d","/\u20ac",0,0,0,0,0,0]`],
  ['a path through a file', `${head}\n${root}\n${file('0,""')}\n["d","/f/x",0,0,0,0,0,0]`],
  ['a file as root', `${head}\n${file('0,""', '"/"')}`],
  ['a link to nothing', `${head}\n${root}\n["h","/a","/b"]`],
  ['a link to a directory', `${head}\n${root}\n["h","/a","/"]`],
  ['a mode beyond all', `${head}\n${root}\n["d","/a",4096,0,0,0,0,0]`],
  ['a mode that is a text', `${head}\n${root}\n["d","/a","420",0,0,0,0,0]`],
  ['half a number', `${head}\n${root}\n["d","/a",0.5,0,0,0,0,0]`],
  ['too many nanoseconds', `${head}\n${root}\n["d","/a",0,0,0,0,1000000000,0]`],
  ['attributes that are none', `${head}\n${root}\n["d","/a",0,0,0,0,0,[]]`],
  ['an attribute that is none', `${head}\n${root}\n["d","/a",0,0,0,0,0,{"user.a":1}]`],
  ['a target that is none', `${head}\n${root}\n["l","/a",0,0,0,0,0,0,1]`],
  ['a device without a number', `${head}\n${root}\n["b","/a",0,0,0,0,0,0,1]`],
  ['a negative size', `${head}\n${root}\n${file('-1,""')}`],
  ['a content longer than its file', `${head}\n${root}\n${file('1,"eHh4"')}`],
  ['no content', `${head}\n${root}\n${file('1')}`],
  ['a source beyond all', `${head}\n${root}\n${file('1,[1,0,0,1]')}`],
  ['a source that is none', `${head}\n${root}\n${file('1,["length",0,0,1]')}`],
  ['half an extent', `${head}\n${root}\n${file('1,[0,0,0]')}`],
  ['an extent that is none', `${head}\n${root}\n${file('1,[0,"0",0,1]')}`],
  ['an extent past its file', `${head}\n${root}\n${file('1,[0,0,0,2]')}`],
  ['an extent past its source', `${head}\n${root}\n${file('200000,[0,0,0,100001]')}`],
  ['extents in disorder', `${head}\n${root}\n${file('20,[0,10,0,5,0,0,5]')}`],
  ['extents over each other', `${head}\n${root}\n${file('20,[0,0,0,5,4,0,5]')}`],
])('a file with %s is no Tree', (_name, text) => {
  expect(() => decodeTree(Buffer.from(text), 'test', open)).toThrow(DiagnosticError);
  expect(() => decodeTree(Buffer.from(text), 'test', open)).toThrow('it holds no tree of files');
});

test('what the rows above differ from is one', () => {
  const text = `${head}\n${root}\n${file('20,[0,0,0,5,10,0,5]')}`;
  expect(decodeTree(Buffer.from(text), 'test', open).get('f')).toMatchObject({ size: 20 });
});

test('whatever bytes it holds, it is a Tree whose contents can be read, or a clear error', () => {
  const good = encodeTree(sampleTree(), nameOf);
  const random = new Random(7);
  const words = [
    '"',
    '[',
    ']',
    '{',
    '}',
    ',',
    '-',
    '9',
    '0',
    '\n',
    '/',
    '1e9',
    'null',
    '\\u0100',
    '..',
    '\xff',
  ];
  let decoded = 0;
  for (let round = 0; round < 20_000; round++) {
    let bytes = Buffer.from(good);
    for (let count = 1 + random.below(3); count > 0; count--) {
      const at = random.below(bytes.length);
      const patch =
        random.below(2) === 0 ? Buffer.from([random.below(256)]) : Buffer.from(random.pick(words), 'latin1');
      bytes = Buffer.concat([bytes.subarray(0, at), patch, bytes.subarray(at + random.below(3))]);
    }
    try {
      const tree = decodeTree(bytes, 'test', open);
      decoded += 1;
      for (const { node } of tree.entries()) {
        if (node.type !== 'file') continue;
        let end = 0;
        for (const piece of piecesOf(node.content, node.size)) {
          expect(piece.offset).toBeGreaterThanOrEqual(end);
          end = piece.offset + piece.bytes.length;
        }
        expect(end).toBeLessThanOrEqual(node.size);
      }
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
    }
  }
  expect(decoded).toBeGreaterThan(1000);
});
