import { linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockspacesIn, membersIn } from '../../../pipelines/nodes/cluster-status.js';
import { Console } from '../../../pipelines/nodes/console.js';
import { BoundedLog } from '../../../pipelines/nodes/console-log.js';
import { lockImage } from '../../../pipelines/nodes/image-lock.js';
import { kernelForProcessor } from '../../../pipelines/nodes/kernel-for-processor.js';
import { findMemoryFolder } from '../../../pipelines/nodes/memory-folder.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith } from '../../support/tools.js';

const folder = temporaryFolder();

/** As the kernel of Debian has it: `movq $2696,-8(%rbp)`, `mov $PTRACE_SETREGSET,%edi`. */
const SHORT = Buffer.from('48c745f8880a0000bf05420000', 'hex');
const AMX = { cpuinfo: 'processor\t: 0\nflags\t\t: fpu vme amx_bf16 amx_tile amx_int8\n' };
const PLAIN = { cpuinfo: 'processor\t: 0\nflags\t\t: fpu vme avx2\n' };

function kernel(...parts: (string | Buffer)[]): string {
  const path = join(folder, `kernel-${Math.random()}`);
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part))), { mode: 0o755 });
  return path;
}

test('a kernel is changed only where it has to be', () => {
  const copy = join(folder, 'copy');
  const path = kernel('ELF', SHORT, 'more');
  expect(kernelForProcessor(path, copy, PLAIN)).toBe(path);
  expect(kernelForProcessor(path, copy, AMX)).toBe(copy);
  const changed = Buffer.from(SHORT);
  changed.writeUInt32LE(11_008, 4);
  expect(readFileSync(copy)).toEqual(Buffer.concat([Buffer.from('ELF'), changed, Buffer.from('more')]));
  expect(statSync(copy).mode & 0o777).toBe(0o700);
  expect(readFileSync(path).includes(SHORT)).toBe(true);
  // One that has no such place asks the processor.
  const other = kernel('ELF', SHORT.subarray(0, 12));
  expect(kernelForProcessor(other, copy, AMX)).toBe(other);
  expect(() => kernelForProcessor(kernel(SHORT, SHORT), copy, AMX)).toThrow(
    'the place to change is there 2 times',
  );
  expect(() => kernelForProcessor(join(folder, 'none'), copy, AMX)).toThrow('no such file');
});

const meminfo = 'MemTotal: 100 kB\nMemAvailable:    4194304 kB\nSwapFree:              0 kB\n';

test('memory goes where there is room and code may run', () => {
  const mounts = (options: string): string =>
    `rootfs / rootfs rw 0 0\ntmpfs ${folder} tmpfs ${options} 0 0\n`;
  expect(findMemoryFolder(2, 64, { folders: ['/nowhere', folder], mounts: mounts('rw'), meminfo })).toBe(
    folder,
  );
  const refused =
    (nodes: number, options: string, info = meminfo) =>
    () =>
      findMemoryFolder(nodes, 64, { folders: ['/nowhere', folder], mounts: mounts(options), meminfo: info });
  expect(refused(2, 'rw,noexec')).toThrow(/2 nodes: \/nowhere: it is not there, .*: it is mounted noexec/);
  expect(refused(60, 'rw')).toThrow(
    '60 nodes of 64 MiB need 4800 MiB of memory, and this host has 4096 MiB left',
  );
  expect(refused(1_000_000, 'rw', '')).toThrow(/only \d+ MiB of 80000000 are free/);
  // Another mount inside of it, or one with a name that only begins so, is another one.
  expect(
    findMemoryFolder(1, 64, {
      folders: [folder],
      mounts: `x ${folder}/in tmpfs noexec 0 0\nx ${folder.slice(0, -1)} tmpfs noexec 0 0\n`,
      meminfo,
    }),
  ).toBe(folder);
});

describeWith(['flock'], 'the lock of an image', () => {
  test('is that of the file, whatever its name', () => {
    const image = join(folder, 'image');
    const other = join(folder, 'other-name');
    writeFileSync(image, 'image');
    linkSync(image, other);
    const lock = lockImage(image, 'exclusive');
    expect(() => lockImage(other, 'exclusive')).toThrow('a cluster uses it already');
    expect(() => lockImage(other, 'shared')).toThrow('a cluster uses it already');
    lock.release();
    const readers = [lockImage(image, 'shared'), lockImage(other, 'shared')];
    expect(() => lockImage(image, 'exclusive')).toThrow('a cluster uses it already');
    for (const reader of readers) reader.release();
    lockImage(other, 'exclusive').release();
    expect(() => lockImage(join(folder, 'nothing'), 'shared')).toThrow('no such file');
  });
});

test('a log does not grow beyond its bounds', () => {
  const path = join(folder, 'bounded.log');
  const log = new BoundedLog(path, 100);
  for (let index = 0; index < 50; index++) log.append(Buffer.from(`line ${index}\n`));
  log.close();
  log.append(Buffer.from('after its end'));
  expect(statSync(path).size).toBeLessThanOrEqual(100);
  const both = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8');
  expect(both.endsWith('line 48\nline 49\n')).toBe(true);
  new BoundedLog(path, 100).close();
  expect(readFileSync(path, 'utf8')).toBe('');
});

test('a console gives lines, however they come, and shows nothing that steers a terminal', () => {
  const lines: string[] = [];
  const log = new BoundedLog(join(folder, 'console.log'));
  const console = new Console(log, (line) => lines.push(line));
  const seen: string[] = [];
  for (const part of ['one\r\ntw', 'o\n', '\n', `${'x'.repeat(10_000)}\n`, '\x1b[31mred\n', 'login: '])
    console.show(Buffer.from(part));
  expect(lines).toEqual(['one', 'two', '', 'x'.repeat(4096), '\x1b[31mred']);
  expect(console.openLine).toBe('login: ');
  expect(console.lastLines()).toEqual(['one', 'two', 'x'.repeat(4096), '\\x1b[31mred', 'login: ']);
  const detach = console.attach((bytes) => seen.push(bytes.toString()));
  console.show(Buffer.from('root\n'));
  detach();
  console.show(Buffer.from('unseen\n'));
  expect(seen).toHaveLength(2);
  // What was before is there as far as it is of use.
  expect(seen[0]?.length).toBe(4096);
  expect(seen[0]?.endsWith('red\nlogin: ')).toBe(true);
  expect(seen[1]).toBe('root\n');
  console.close();
  expect(lines.at(-1)).toBe('unseen');
});

test('what corosync and dlm say', () => {
  expect(
    membersIn(`
Membership information
----------------------
    Nodeid      Votes Name
         2          1 10.77.0.2
         1          1 10.77.0.1 (local)
        12          1 10.77.0.12
`),
  ).toEqual([1, 2, 12]);
  expect(
    lockspacesIn(`dlm lockspaces
name          root
id            0x82e36ff7
flags         0x00000000${' '}
change        member 3 joined 1 remove 0 failed 0 seq 1,1
members       1 2 3${' '}

name          other
id            0x1
members       2${' '}

`),
  ).toEqual([
    { name: 'root', members: [1, 2, 3] },
    { name: 'other', members: [2] },
  ]);
  expect(lockspacesIn('dlm lockspaces\n')).toEqual([]);
});
