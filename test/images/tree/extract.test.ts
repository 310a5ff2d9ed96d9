import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { DiagnosticError, imageError } from '../../../images/diagnostic.js';
import { extractTree } from '../../../images/tree/extract.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { hostTimeOf } from '../../../images/tree/host-time.js';
import type { FileNode, SymlinkNode, TreeNode } from '../../../images/tree/node.js';
import { deepTree, directory, plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();

describe('extract', () => {
  const big = Buffer.alloc(2_000_000);
  big.fill('x', 1_000_000, 1_004_096);
  const tree = treeWith(
    {
      'd/file': text('content', { mode: 0o640 }),
      'd/empty': text(''),
      sparse: { ...plain, type: 'file', size: big.length, content: { kind: 'inline', bytes: big } },
      out: { ...plain, mode: 0o777, type: 'symlink', target: '/etc' },
      fifo: { ...plain, type: 'fifo' },
      readonly: { ...plain, mode: 0o500, type: 'directory', entries: new Map() },
      'readonly/inside': text('i'),
      '\xff\n': text('raw name'),
    },
    { 'd/linked': 'd/file' },
  );

  test('gives the same tree on the host, and says what it left out', async () => {
    const destination = join(folder, 'out');
    const result = await extractTree(tree.root, destination, {}, pace);
    const differences = await differencesOf(tree, await treeOfDirectory(destination, pace));
    // Node sets times with the precision of a floating-point number.
    expect(
      differences.filter(({ fields }) =>
        Object.keys(fields ?? { x: 0 }).some((name) => name !== 'mtimeNanoseconds'),
      ),
    ).toEqual([{ path: '/fifo', kind: 'removed' }]);
    expect(result.notKept.map(({ path, what }) => [path, what])).toEqual([
      ['/', 'nanoseconds of the times of 8 entries'],
      ['/fifo', 'fifo'],
    ]);
    expect(statSync(join(destination, 'sparse')).blocks * 512).toBeLessThan(100_000);
    expect(lstatSync(join(destination, 'd/linked')).ino).toBe(lstatSync(join(destination, 'd/file')).ino);
    expect(readlinkSync(join(destination, 'out'))).toBe('/etc');
  });

  test('one file', async () => {
    await extractTree(tree.get('d/file')!, join(folder, 'one'), {}, pace);
    expect(readFileSync(join(folder, 'one'), 'utf8')).toBe('content');
  });

  test('overwrites nothing, follows nothing', async () => {
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full', 'mine'), 'mine');
    symlinkSync(join(folder, 'full'), join(folder, 'link'));
    for (const name of ['full', 'link', 'full/mine']) {
      await expect(extractTree(tree.root, join(folder, name), {}, pace)).rejects.toThrowError(
        /it exists already/,
      );
    }
    await expect(extractTree(tree.get('d/file')!, join(folder, 'link'), {}, pace)).rejects.toThrowError(
      /it exists already/,
    );
    expect(readFileSync(join(folder, 'full', 'mine'), 'utf8')).toBe('mine');
    await expect(extractTree(tree.root, join(folder, 'no', 'such', 'folder'), {}, pace)).rejects.toThrowError(
      /no such file or directory/,
    );
  });

  test('a damaged source leaves nothing behind', async () => {
    const broken: FileNode = {
      ...plain,
      type: 'file',
      size: 10,
      content: {
        kind: 'extents',
        source: new MemorySource(Buffer.alloc(10)),
        extents: () => {
          throw imageError({ file: 'image', block: 7 }, 'damaged');
        },
      },
    };
    await expect(
      extractTree(treeWith({ a: text('a'), z: broken }).root, join(folder, 'broken'), {}, pace),
    ).rejects.toThrowError(/image: block 7: error: damaged/);
    expect(existsSync(join(folder, 'broken'))).toBe(false);
  });
});

const link = (target: string): SymlinkNode => ({ ...plain, type: 'symlink', target });
const broken: FileNode = {
  ...plain,
  type: 'file',
  size: 10,
  content: {
    kind: 'extents',
    source: new MemorySource(Buffer.alloc(10)),
    extents: () => {
      throw imageError({ file: 'image', block: 7 }, 'damaged');
    },
  },
};

describe('hostile trees', () => {
  test.each([
    ['../escape', text('x'), /a name with "\/" is in this directory/],
    ['..', text('x'), /the name "\.\."/],
    ['.', directory([]), /the name "\."/],
    ['..', directory([['escape', text('x')]]), /the name "\.\."/],
    ['', text('x'), /an empty name/],
    ['a\0b', text('x'), /a name with a NUL byte/],
    ['a'.repeat(256), text('x'), /a name of 256 bytes/],
    ['f', { ...text('x'), size: Number.POSITIVE_INFINITY }, /Infinity bytes are no size/],
    ['f', { ...text('x'), size: -1 }, /-1 bytes are no size/],
    ['f', { ...text('x'), size: Number.MAX_SAFE_INTEGER }, /larger than this filesystem/],
  ] as const)('the entry %j makes nothing, inside or outside', async (name, node, message) => {
    const around = join(folder, 'around');
    mkdirSync(around);
    const tree = directory([
      ['before', text('before')],
      ['sub', directory([[name, node]])],
    ]);
    const error = await extractTree(tree, join(around, 'out'), {}, pace).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DiagnosticError);
    expect(String(error)).toMatch(message);
    expect(readdirSync(around)).toEqual([]);
    rmSync(around, { recursive: true });
  });

  test('links that lead out are made, and nothing goes through them', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const tree = treeWith({
      a: link(outside),
      'd/up': link('../../outside'),
      'd/file': text('f', { mode: 0o600 }),
    });
    await extractTree(tree.root, join(folder, 'leading-out'), {}, pace);
    expect(readdirSync(outside)).toEqual([]);
    expect(readlinkSync(join(folder, 'leading-out/d/up'))).toBe('../../outside');
  });

  test('links that the host cannot have are left out, with their other names', async () => {
    const tree = treeWith(
      { empty: link(''), nul: link('a\0b'), long: link('x'.repeat(4096)), longest: link('x'.repeat(4095)) },
      { 'nul-too': 'nul' },
    );
    const destination = join(folder, 'odd-links');
    const { notKept } = await extractTree(tree.root, destination, {}, pace);
    expect(readdirSync(destination)).toEqual(['longest']);
    expect(notKept.slice(1).map(({ path, what, why }) => `${path}: ${what}: ${why}`)).toEqual([
      '/empty: symbolic link: its target is empty',
      '/long: symbolic link: its target has more than 4095 bytes',
      '/nul: symbolic link: there is a NUL byte in its target',
      '/nul-too: hard link: the file it links to could not be made',
    ]);
  });

  test('directories deeper than any path of the host are refused, and removed again', async () => {
    const destination = join(folder, 'deep');
    await expect(extractTree(deepTree(16_000).root, destination, {}, pace)).rejects.toThrowError(
      /deep.*the name is too long for this filesystem/,
    );
    expect(existsSync(destination)).toBe(false);
  });
});

describe('a fault in the middle', () => {
  test('leaves an existing directory as it was', async () => {
    const destination = join(folder, 'existing');
    mkdirSync(destination);
    chmodSync(destination, 0o751);
    const before = statSync(destination);
    const tree = treeWith({
      'closed/file': text('x'),
      closed: { ...directory([]), mode: 0 },
      'z/broken': broken,
    });
    await expect(extractTree(tree.root, destination, {}, pace)).rejects.toThrowError(/damaged/);
    expect(readdirSync(destination)).toEqual([]);
    expect(statSync(destination).mode & 0o7777).toBe(0o751);
    expect(statSync(destination).mtimeMs).toBeCloseTo(before.mtimeMs, 1);
  });

  test('removes a single file', async () => {
    await expect(extractTree(broken, join(folder, 'single'), {}, pace)).rejects.toThrowError(/damaged/);
    expect(existsSync(join(folder, 'single'))).toBe(false);
  });

  test('says so when something cannot be removed', async () => {
    const destination = join(folder, 'stuck');
    const makeSpecial = (path: Buffer): string | undefined => {
      // Somebody puts a file of his own there meanwhile.
      writeFileSync(join(path.toString(), '..', 'foreign'), '');
      return 'no';
    };
    const tree = treeWith({ 'd/fifo': { ...plain, type: 'fifo' }, 'd/z': broken });
    await expect(extractTree(tree.root, destination, { makeSpecial }, pace)).rejects.toThrowError(
      /damaged\n.*stuck: error: what was made so far could not all be removed/,
    );
    expect(readdirSync(join(destination, 'd'))).toEqual(['foreign']);
  });

  test('an abort is one', async () => {
    const abort = new AbortController();
    const impatient = new Pace(abort.signal);
    impatient.due = () => true;
    const makeSpecial = (): string | undefined => {
      abort.abort();
      return 'no';
    };
    const tree = treeWith({ 'a/x': text('x'), fifo: { ...plain, type: 'fifo' }, 'z/y': text('y') });
    const error = await extractTree(tree.root, join(folder, 'aborted'), { makeSpecial }, impatient).catch(
      (cause: unknown) => cause,
    );
    expect((error as DiagnosticError).diagnostics.map(({ kind }) => kind)).toEqual(['interrupted']);
    expect(existsSync(join(folder, 'aborted'))).toBe(false);
  });
});

describe('times', () => {
  testWith(
    ['find'],
    'are those of the source to the microsecond, before 1970 to the millisecond',
    async () => {
      const times = [
        [0, 0],
        [1, 999],
        [1_000_000_000, 123_456_789],
        [1_700_000_000, 999_999_999],
        [2 ** 31 - 1, 999_999_000],
        [2 ** 32, 1_000],
        [-1, 999_000_000],
        [-1_000_000_000, 250_000_000],
      ] as const;
      const entries = times.map(([seconds, nanoseconds], index): [string, TreeNode] => [
        `${index}`,
        text('', { mtime: { seconds, nanoseconds } }),
      ]);
      const destination = join(folder, 'times');
      await extractTree(directory(entries), destination, {}, pace);
      const found = run('find', [destination, '-type', 'f', '-printf', '%f %T@\n']);
      const expected = times.map(([seconds, nanoseconds], index) => {
        const unit = seconds < 0 ? 1_000_000 : 1000;
        const kept = Math.floor(nanoseconds / unit) * unit;
        // find prints seconds and nanoseconds as they are stored, also before 1970.
        return `${index} ${seconds}.${`${kept}`.padStart(9, '0')}0`;
      });
      expect(found.trim().split('\n').sort()).toEqual(expected);
    },
  );

  test('that no host has are reported, not replaced by others', async () => {
    const at = (seconds: number): FileNode => text('', { mtime: { seconds, nanoseconds: 0 } });
    const tree = treeWith({
      a: at(Number.POSITIVE_INFINITY),
      b: at(Number.NEGATIVE_INFINITY),
      c: at(2 ** 50),
    });
    const { notKept } = await extractTree(tree.root, join(folder, 'no-times'), {}, pace);
    expect(notKept.slice(1).map(({ path, what }) => `${path}: ${what}`)).toEqual([
      '/a: time Infinity',
      '/b: time -Infinity',
      `/c: time ${2 ** 50}`,
    ]);
  });

  test('never come out in another second', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 35 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, nanoseconds) => {
          expect(Math.floor(Number(hostTimeOf({ seconds, nanoseconds })))).toBe(seconds);
        },
      ),
    );
  });
});

describe('owners', () => {
  const isRoot = process.getuid?.() === 0;
  const set = text('x', { uid: 1234, gid: 5678, mode: 0o6755 });
  const tree = treeWith({
    set,
    l: { ...link('set'), uid: 1234, gid: 5678 },
    nobody: text('x', { uid: 2 ** 32 - 1, mode: 0o4755 }),
  });

  test.runIf(isRoot)('are kept by root; an id that means nobody gives no setuid to root', async () => {
    const destination = join(folder, 'owners');
    const { notKept } = await extractTree(tree.root, destination, {}, pace);
    for (const name of ['set', 'l'])
      expect(lstatSync(join(destination, name))).toMatchObject({ uid: 1234, gid: 5678 });
    expect(statSync(join(destination, 'set')).mode & 0o7777).toBe(0o6755);
    expect(statSync(join(destination, 'nobody')).mode & 0o7777).toBe(0o755);
    expect(notKept.map(({ what }) => what)).toContain('owners of 1 entry');
    expect(notKept).toContainEqual(expect.objectContaining({ path: '/nobody', what: 'setuid or setgid' }));
  });

  test.runIf(isRoot)('are counted for an ordinary user, who gets no setuid either', async () => {
    const destination = join(folder, 'ordinary');
    chmodSync(folder, 0o777);
    process.seteuid?.(65534);
    try {
      const { notKept } = await extractTree(tree.root, destination, {}, pace);
      expect(notKept.map(({ path, what }) => `${path}: ${what}`)).toEqual([
        '/: owners of 3 entries',
        '/: nanoseconds of the times of 4 entries',
        '/: owners of 1 entry',
        '/nobody: setuid or setgid',
        '/set: setuid or setgid',
      ]);
    } finally {
      process.seteuid?.(0);
    }
    expect(statSync(join(destination, 'set')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(destination, 'set')).uid).toBe(65534);
  });

  test.runIf(isRoot)('an existing directory of somebody else is filled and left as it is', async () => {
    const destination = join(folder, 'shared');
    mkdirSync(destination);
    chmodSync(destination, 0o777);
    process.seteuid?.(65534);
    try {
      const { notKept } = await extractTree(treeWith({ a: text('a') }).root, destination, {}, pace);
      expect(notKept.at(-1)).toMatchObject({ path: '/', what: 'mode, owner and time' });
    } finally {
      process.seteuid?.(0);
    }
    expect(statSync(destination).mode & 0o7777).toBe(0o777);
    expect(readdirSync(destination)).toEqual(['a']);
  });
});
