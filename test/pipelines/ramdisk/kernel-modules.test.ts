import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { readContent } from '../../../images/tree/content.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { resolveModules } from '../../../pipelines/ramdisk/kernel-modules.js';
import { uncompressedModule } from '../../../pipelines/ramdisk/uncompressed-module.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run, testWith } from '../../support/tools.js';

const folder = temporaryFolder();
const MODULES = '/lib/modules/6.1.0';

/** A root whose kernel has these modules, with what each needs. */
function rootWith(dep: string, files: readonly string[], more: Record<string, TreeNode> = {}): Tree {
  return treeWith({
    [`${MODULES}/modules.dep`]: text(dep),
    ...Object.fromEntries(files.map((file) => [`${MODULES}/${file}`, text(file)])),
    ...more,
  });
}

function load(tree: Tree, names: readonly string[], at = MODULES) {
  const { modules, ...rest } = resolveModules(tree, at, names);
  return { ...rest, paths: modules.map(({ path }) => path.slice(path.indexOf('/', MODULES.length) + 1)) };
}

describe('modules in their order', () => {
  const dep = [
    'kernel/fs/gfs2/gfs2.ko.xz: kernel/fs/dlm/dlm.ko kernel/fs/configfs/configfs.ko',
    'kernel/fs/dlm/dlm.ko: kernel/fs/configfs/configfs.ko',
    'kernel/fs/configfs/configfs.ko:',
    'kernel/net/8021q-x.ko.gz:',
    '',
  ].join('\n');
  const files = [
    'kernel/fs/gfs2/gfs2.ko.xz',
    'kernel/fs/dlm/dlm.ko',
    'kernel/fs/configfs/configfs.ko',
    'kernel/net/8021q-x.ko.gz',
  ];
  const tree = rootWith(dep, files, { [`${MODULES}/modules.builtin`]: text('kernel/net/unix/un-ix.ko\n') });

  test('what a module needs comes before it, each once', () => {
    expect(load(tree, ['gfs2', 'dlm', 'configfs']).paths).toEqual([
      'kernel/fs/configfs/configfs.ko',
      'kernel/fs/dlm/dlm.ko',
      'kernel/fs/gfs2/gfs2.ko.xz',
    ]);
  });

  test('- and _ are the same, suffixes do not matter', () => {
    expect(load(tree, ['8021q_x', 'dlm.ko', '8021q-x']).paths).toEqual([
      'kernel/net/8021q-x.ko.gz',
      'kernel/fs/configfs/configfs.ko',
      'kernel/fs/dlm/dlm.ko',
    ]);
  });

  test('what the kernel has in itself is not loaded', () => {
    expect(load(tree, ['un_ix', 'configfs'])).toEqual({
      paths: ['kernel/fs/configfs/configfs.ko'],
      builtIn: ['un_ix'],
      unlisted: [],
      missing: [],
    });
  });

  test('all that is missing is named at once, with the nearest name', () => {
    const lacking = rootWith('kernel/gfs2.ko: kernel/dlm.ko kernel/gone.ko\nkernel/dlm.ko:\n', [
      'kernel/gfs2.ko',
      'kernel/dlm.ko',
    ]);
    expect(load(lacking, ['gfs2', 'gfs3', 'nothing'])).toEqual({
      paths: ['kernel/dlm.ko', 'kernel/gfs2.ko'],
      builtIn: [],
      unlisted: [],
      missing: [{ name: 'gone', neededBy: 'gfs2' }, { name: 'gfs3', nearest: 'gfs2' }, { name: 'nothing' }],
    });
  });

  test('the version folder is found behind links, and a wrong version named', () => {
    const linked = treeWith({
      '/usr/lib/modules/6.1.0/kernel/a.ko': text('a'),
      '/lib': { ...plain, type: 'symlink', target: 'usr/lib' },
    });
    expect(resolveModules(linked, MODULES, ['a']).modules[0]?.path).toBe(
      '/usr/lib/modules/6.1.0/kernel/a.ko',
    );
    expect(() => resolveModules(linked, '/lib/modules/6.2', ['a'])).toThrowError(
      /\/lib\/modules\/6\.2: error: there are no modules of this kernel version.*\n.*\/lib\/modules has 6\.1\.0/,
    );
    expect(() => resolveModules(treeWith({ a: text('') }), MODULES, [])).toThrowError(
      /\/lib\/modules has none/,
    );
  });

  test('of two files with one name the one of modules.dep counts', () => {
    const two = rootWith('kernel/x.ko:\n', ['extra/x.ko', 'kernel/x.ko', 'updates/x.ko']);
    expect(load(two, ['x']).paths).toEqual(['kernel/x.ko']);
    expect(
      load(rootWith('updates/x.ko:\n', ['extra/x.ko', 'kernel/x.ko', 'updates/x.ko']), ['x']).paths,
    ).toEqual(['updates/x.ko']);
  });
});

describe('modules of Linux 2.4', () => {
  const version = '/lib/modules/2.4.16-21um';
  const tree = treeWith({
    // As depmod writes it for another root, and the OpenGFS modules, installed after it ran.
    [`${version}/modules.dep`]: text(
      `/mnt${version}/kernel/drivers/net/dummy.o:\t/mnt${version}/kernel/a.o \\\n\t/mnt${version}/kernel/b.o\n\n` +
        `${version}/kernel/a.o:\t${version}/kernel/b.o\n\n${version}/kernel/b.o:\n`,
    ),
    [`${version}/kernel/drivers/net/dummy.o`]: text('dummy'),
    [`${version}/kernel/a.o`]: text('a'),
    [`${version}/kernel/b.o`]: text('b'),
    [`${version}/kernel/fs/pool.o`]: text('pool'),
    [`${version}/kernel/fs/gfs.o`]: text('gfs'),
  });

  test('have absolute paths and lines that go on; what depmod has not seen stays in its order', () => {
    const resolved = resolveModules(tree, version, ['dummy', 'pool', 'gfs']);
    expect(resolved.modules.map(({ name }) => name)).toEqual(['b', 'a', 'dummy', 'pool', 'gfs']);
    expect(resolved.unlisted).toEqual(['pool', 'gfs']);
  });
});

describe('hostile lists', () => {
  test('a circle', () => {
    const circle = rootWith('a.ko: b.ko\nb.ko: c.ko\nc.ko: b.ko\n', ['a.ko', 'b.ko', 'c.ko']);
    expect(() => load(circle, ['a'])).toThrowError(
      /modules\.dep: error: modules need each other in a circle: b, c, b/,
    );
  });

  test('a chain deeper than any stack', () => {
    const count = 50_000;
    const names = Array.from({ length: count }, (_, index) => `m${index}.ko`);
    const dep = names.map((name, index) => `${name}: ${names[index + 1] ?? ''}`).join('\n');
    expect(load(rootWith(dep, names), ['m0']).paths).toHaveLength(count);
  });

  test('a list that is too long, or none', () => {
    const content = { kind: 'inline' as const, bytes: new Uint8Array(0) };
    const huge = { ...text(''), size: 2 ** 40, content };
    expect(() => load(treeWith({ [`${MODULES}/modules.dep`]: huge }), [])).toThrowError(
      /too many for a list of modules/,
    );
    const other: TreeNode = { ...plain, type: 'fifo' };
    expect(() => load(treeWith({ [`${MODULES}/modules.dep`]: other }), [])).toThrowError(
      /a fifo where a list/,
    );
  });

  test('lines that are none', () => {
    const odd = rootWith(':\n: x\nno colon\n\0\n#x: y\nkernel/a.ko: ../../../etc/passwd kernel/\n', [
      'kernel/a.ko',
    ]);
    const { paths, missing } = load(odd, ['a']);
    expect(paths).toEqual(['kernel/a.ko']);
    expect(missing.map(({ name }) => name)).toEqual(['kernel/', '../../../etc/passwd']);
  });
});

describe('compressed modules', () => {
  const content = Buffer.from('a module, or what stands for one\n'.repeat(1000));

  function moduleOf(bytes: Buffer, name = 'x.ko.xz') {
    const node: FileNode = { ...text(''), size: bytes.length, content: { kind: 'inline', bytes } };
    return { name: 'x', path: `${MODULES}/${name}`, node };
  }

  for (const [program, suffix] of [
    ['xz', 'xz'],
    ['gzip', 'gz'],
    ['zstd', 'zst'],
  ] as const) {
    testWith([program], `of ${program} are decompressed`, async () => {
      const file = `${folder}/x.ko`;
      writeFileSync(file, content);
      run(program, ['-q', '-k', '-f', file]);
      const packed = readFileSync(`${file}.${suffix}`);
      const node = await uncompressedModule(moduleOf(packed, `x.ko.${suffix}`));
      expect(readContent(node.content, node.size).equals(content)).toBe(true);
      const damaged = Buffer.from(packed);
      damaged.fill(0x55, 20, 50);
      await expect(uncompressedModule(moduleOf(damaged))).rejects.toThrowError(
        new RegExp(`^${MODULES}/x\\.ko\\.xz: error: damaged or cut`),
      );
    });
  }

  test('others stay where they are', async () => {
    const module = moduleOf(content);
    expect(await uncompressedModule(module)).toBe(module.node);
  });

  testWith(['xz'], 'that would fill the memory are refused', async () => {
    run('sh', ['-c', `head -c 200000000 /dev/zero | xz -0 > ${folder}/bomb.xz`]);
    await expect(uncompressedModule(moduleOf(readFileSync(`${folder}/bomb.xz`)))).rejects.toThrowError(
      /more than \d+ bytes: that is no kernel module/,
    );
  });
});

describeWith(['modprobe', 'linux.uml'], 'judged by kmod', () => {
  test("the modules of linux.uml's gfs2, ocfs2, btrfs and others, in an order that modprobe could take", async () => {
    const version = run('linux.uml', ['--version']).trim();
    mkdirSync(join(folder, 'lib'));
    symlinkSync('/usr/lib/uml/modules', join(folder, 'lib/modules'));
    const names = [
      'gfs2',
      'ocfs2_stack_user',
      'btrfs',
      'md-cluster',
      'ext4',
      'iscsi_target_mod',
      'crc32c_generic',
    ];
    const tree = await treeOfDirectory('/usr/lib/uml/modules', new Pace());
    const { modules, missing, builtIn } = resolveModules(tree, `/${version}`, names);
    expect(missing).toEqual([]);
    const chains = names.map((name) =>
      run('modprobe', ['-d', folder, '-S', version, '--show-depends', name])
        .split('\n')
        .flatMap((line) => /^insmod \S+\/modules(\/\S+)/.exec(line)?.[1] ?? []),
    );
    const places = new Map(modules.map(({ path }, index) => [path, index]));
    expect(new Set(places.keys())).toEqual(new Set(chains.flat()));
    expect(builtIn).toEqual(names.filter((_, index) => chains[index]?.length === 0));
    for (const chain of chains.filter(({ length }) => length > 0)) {
      const order = chain.map((path) => places.get(path) ?? -1);
      // Whatever modprobe loads for a module is before it here too.
      expect(Math.max(...order)).toBe(order.at(-1));
    }
  });
});
