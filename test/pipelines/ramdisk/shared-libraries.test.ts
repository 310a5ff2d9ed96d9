import { describe, expect, test } from 'vitest';
import type { FileNode, SymlinkNode, TreeNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { programFiles } from '../../../pipelines/ramdisk/shared-libraries.js';
import { type ElfContents, elfFile } from '../../support/elf-file.js';
import { plain, text, treeWith } from '../../support/small-trees.js';

function elf(contents: ElfContents = {}): FileNode {
  const bytes = elfFile(contents);
  return { ...plain, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } };
}

function link(target: string): SymlinkNode {
  return { ...plain, type: 'symlink', target };
}

const LOADER = '/lib64/ld-linux-x86-64.so.2';

/** What is gathered for the program `/bin/p` of a root. */
function gather(entries: Record<string, TreeNode | 'directory'>, programs: readonly string[] = ['/bin/p']) {
  const result = programFiles(treeWith(entries), programs);
  return { ...result, entries: [...result.entries.keys()] };
}

describe('a program', () => {
  test('brings its loader, its libraries and theirs, and the links that lead there', () => {
    const { entries, missing, extraFolders } = gather({
      '/usr/bin/p': elf({ interpreter: LOADER, needed: ['liba.so.1'] }),
      '/bin': link('usr/bin'),
      '/lib': link('usr/lib'),
      '/lib64': link('usr/lib64'),
      '/usr/lib64/ld-linux-x86-64.so.2': link('../lib/x86_64-linux-gnu/ld.so'),
      '/usr/lib/x86_64-linux-gnu/ld.so': elf({ soname: 'ld-linux-x86-64.so.2' }),
      '/usr/lib/x86_64-linux-gnu/liba.so.1': link('liba.so.1.0'),
      '/usr/lib/x86_64-linux-gnu/liba.so.1.0': elf({ soname: 'liba.so.1', needed: ['libb.so'] }),
      '/usr/lib/libb.so': elf({ needed: ['liba.so.1'] }),
      '/usr/lib/unused.so': elf(),
    });
    expect(missing).toEqual([]);
    expect(extraFolders).toEqual([]);
    expect(entries).toEqual([
      '/bin',
      '/lib',
      '/lib64',
      '/usr/bin/p',
      '/usr/lib/libb.so',
      '/usr/lib/x86_64-linux-gnu/ld.so',
      '/usr/lib/x86_64-linux-gnu/liba.so.1',
      '/usr/lib/x86_64-linux-gnu/liba.so.1.0',
      '/usr/lib64/ld-linux-x86-64.so.2',
    ]);
  });

  test('is found by its name on the PATH', () => {
    const { programs } = gather({ '/sbin/ifconfig': elf(), '/bin/p': elf() }, ['ifconfig', '/bin/p']);
    expect([...programs].map(([name, { path }]) => [name, path])).toEqual([
      ['ifconfig', '/sbin/ifconfig'],
      ['/bin/p', '/bin/p'],
    ]);
  });

  test('has libraries of its own processor, wherever others of the name come first', () => {
    const { entries } = gather({
      '/bin/p': elf({ bits: 32, needed: ['libx.so'] }),
      '/etc/ld.so.conf': text('/lib64\n/opt/arm\n/lib32\n'),
      '/lib64/libx.so': elf(),
      '/opt/arm/libx.so': elf({ bits: 32, machine: 40 }),
      '/lib32/libx.so': elf({ bits: 32 }),
    });
    expect(entries).toEqual(['/bin/p', '/lib32/libx.so']);
  });
});

describe('where libraries are looked for', () => {
  const needing = (contents: ElfContents) => elf({ needed: ['libx.so'], ...contents });
  const everywhere = {
    '/opt/p/lib/libx.so': elf(),
    '/opt/run/libx.so': elf(),
    '/conf/libx.so': elf(),
    '/usr/lib/libx.so': elf(),
    '/etc/ld.so.conf': text('# folders\n/conf # these\n'),
  };
  const found = (program: FileNode, path = '/opt/p/bin/p'): string | undefined =>
    gather({ ...everywhere, [path]: program }, [path]).entries.find((entry) => entry.endsWith('libx.so'));

  test.each([
    ['RPATH', needing({ rpath: '$ORIGIN/../lib:/opt/run' }), '/opt/p/lib/libx.so'],
    ['RUNPATH', needing({ runpath: '/nowhere:/opt/run' }), '/opt/run/libx.so'],
    ['RUNPATH and not RPATH', needing({ rpath: '/opt/p/lib', runpath: '/opt/run' }), '/opt/run/libx.so'],
    ['braces', needing({ runpath: `\${ORIGIN}/../lib` }), '/opt/p/lib/libx.so'],
    ['$LIB', needing({ runpath: '/opt/p/$LIB' }), '/opt/p/lib/libx.so'],
    ['the configuration', needing({}), '/conf/libx.so'],
    ['a path', elf({ needed: ['/opt/run/libx.so'] }), '/opt/run/libx.so'],
  ])('%s', (_name, program, path) => {
    expect(found(program)).toBe(path);
  });

  test('an RPATH counts for what its libraries need, a RUNPATH does not', () => {
    const root = (contents: ElfContents) => ({
      '/bin/p': elf({ needed: ['liba.so'], ...contents }),
      '/own/liba.so': elf({ needed: ['libb.so'] }),
      '/own/libb.so': elf(),
    });
    expect(gather(root({ rpath: '/own' })).missing).toEqual([]);
    expect(gather(root({ runpath: '/own' })).missing).toEqual([
      { kind: 'library', name: 'libb.so', neededBy: '/own/liba.so' },
    ]);
  });

  test('files that the configuration includes, and the folders that a loader without a cache must be told of', () => {
    const { entries, extraFolders } = gather({
      '/bin/p': elf({ needed: ['liba.so', 'libb.so', 'libc.so'] }),
      '/etc/ld.so.conf': text('include ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n'),
      '/etc/ld.so.conf.d/1-a.conf': text('/a, /b:/usr/lib/\thwcap\n'),
      '/etc/ld.so.conf.d/.hidden.conf': text('/hidden'),
      '/etc/ld.so.conf.d/2.other': text('/hidden'),
      '/etc/ld.so.conf.d/dir.conf': 'directory',
      '/hidden/liba.so': elf(),
      '/a/liba.so': elf(),
      '/b/libb.so': elf(),
      '/usr/lib/libc.so': elf(),
    });
    expect(entries).toEqual(['/a/liba.so', '/b/libb.so', '/bin/p', '/usr/lib/libc.so']);
    expect(extraFolders).toEqual(['/a', '/b']);
  });
});

describe('scripts', () => {
  test('bring their interpreters, and what env looks for', () => {
    const { entries, missing } = gather({
      '/bin/p': text('#! /usr/bin/env tool -x\n'),
      '/usr/bin/env': elf(),
      '/usr/bin/tool': text('#!/bin/sh -e\n'),
      '/bin/sh': link('dash'),
      '/bin/dash': elf({ interpreter: LOADER }),
      [LOADER]: elf(),
    });
    expect(missing).toEqual([]);
    expect(entries).toEqual(['/bin/dash', '/bin/p', '/bin/sh', LOADER, '/usr/bin/env', '/usr/bin/tool']);
  });

  test('that interpret themselves come to an end', () => {
    expect(gather({ '/bin/p': text('#!/bin/p\n') }).missing).toEqual([
      {
        kind: 'interpreter',
        name: '/bin/p',
        neededBy: '/bin/p',
        reason: 'more than 5 scripts interpret each other',
      },
    ]);
  });
});

describe('what is missing', () => {
  test('is named all at once, with what needs it', () => {
    const { missing } = gather(
      {
        '/bin/p': elf({ interpreter: '/lib/ld.so', needed: ['libx.so', 'liby.so'] }),
        '/usr/lib/liby.so': text('no library'),
        '/usr/lib/libz.so': elf({ machine: 183 }),
        '/bin/q': elf({ needed: ['libx.so', 'libz.so'] }),
        '/bin/s': text('#!/bin/perl\n'),
        '/bin/t': text('a text'),
        '/bin/d': 'directory',
      },
      ['/bin/p', '/bin/q', '/bin/s', '/bin/t', '/bin/d', '/bin/none', 'none'],
    );
    expect(missing).toEqual([
      { kind: 'interpreter', name: '/lib/ld.so', neededBy: '/bin/p' },
      { kind: 'library', name: 'libx.so', neededBy: '/bin/p' },
      { kind: 'library', name: 'liby.so', neededBy: '/bin/p', reason: '/usr/lib/liby.so: no ELF file' },
      {
        kind: 'library',
        name: 'libz.so',
        neededBy: '/bin/q',
        reason: '/usr/lib/libz.so is for another processor',
      },
      { kind: 'interpreter', name: '/bin/perl', neededBy: '/bin/s' },
      { kind: 'program', name: '/bin/t', reason: 'it is neither a script nor an ELF program' },
      { kind: 'program', name: '/bin/d' },
      { kind: 'program', name: '/bin/none' },
      { kind: 'program', name: 'none' },
    ]);
  });

  test('a damaged program is named with what is wrong', () => {
    const bytes = elfFile({ needed: ['x'] });
    bytes.writeUInt16LE(0xffff, 56);
    const damaged: FileNode = {
      ...plain,
      type: 'file',
      size: bytes.length,
      content: { kind: 'inline', bytes },
    };
    expect(gather({ '/bin/p': damaged }).missing[0]?.reason).toMatch(
      /damaged ELF file: 65535 program headers/,
    );
  });
});

describe('a hostile root', () => {
  test('that makes looking endless is given up', () => {
    const folders = Array.from({ length: 250 }, (_, index) => `/${index}`).join(':');
    const entries: Record<string, TreeNode> = {};
    const needed = Array.from({ length: 100 }, (_, index) => `n${index}`);
    for (const name of needed) {
      entries[`/usr/lib/${name}`] = elf({
        rpath: folders,
        needed: [...needed, ...needed.map((other) => `${name}-${other}`)],
      });
    }
    const tree: Tree = treeWith({ ...entries, '/bin/p': elf({ rpath: folders, needed }) });
    expect(() => programFiles(tree, ['/bin/p'])).toThrowError(
      /its libraries are not found in 1000000 attempts/,
    );
  });
});
