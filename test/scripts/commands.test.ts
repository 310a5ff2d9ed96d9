import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { makeFilesystem } from '../../images/gfs/mkfs.js';
import { GOLDEN_TIME, golden, goldenOptions } from '../fixtures/golden.js';
import { piecesOfFile } from '../support/file-pieces.js';
import { makeHostTree } from '../support/host-tree.js';
import { type CommandResult, ssiImage, ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';

const folder = temporaryFolder();
const program = fileURLToPath(new URL('../../dist/scripts/ssi-image.js', import.meta.url));
const source = join(folder, 'source');
mkdirSync(source);
makeHostTree(source);

const mkfsOptions = ['-q', '-X', '-p', 'memexp', '-t', '/dev/pool/pool0cidev', '-j', '2', '-J', '1', '-i'];
const inFolder = (...args: string[]): CommandResult => ssiImage(args, { cwd: folder });
const outputOf = (...args: string[]): string => ssiImageOutput(args, { cwd: folder });

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

outputOf('mkfs_gfs', ...mkfsOptions, '--size', '32MiB', '-d', 'source', 'filled');

/** One clear message, and no stack trace. */
function expectError(result: CommandResult, status: number, message: RegExp): void {
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.stderr).not.toContain('internal error');
  expect(result.status).toBe(status);
}

describe('the golden images come out of the command', () => {
  test.each(Object.entries(golden.images))('%s', (name, facts) => {
    const { parameters, whole_image_sha256: digest, metadata_blocks: blocks } = facts;
    const image = join(folder, name);
    writeFileSync(image, '');
    truncateSync(image, parameters.size_bytes);
    const options = [
      '-q',
      '-p',
      parameters.lockproto,
      '-t',
      parameters.locktable,
      '-j',
      `${parameters.journals}`,
      '-J',
      `${parameters.journal_MiB}`,
    ];
    options.push(
      '-b',
      `${parameters.block_size}`,
      '-r',
      `${parameters.rgsize_MiB}`,
      '-s',
      `${parameters.segment_blocks}`,
      '-i',
    );
    if (parameters.expert_mode) options.push('-X');
    ssiImageOutput(['mkfs_gfs', ...options, image], { env: { SOURCE_DATE_EPOCH: `${GOLDEN_TIME}` } });
    expect(statSync(image).blocks * 512).toBeLessThan(parameters.size_bytes / 4);
    if (digest !== undefined) {
      // The bytes that mkfs itself writes, whose digest its own tests check.
      const other = join(folder, `${name}.expected`);
      const file = SparseFile.create(other, parameters.size_bytes);
      makeFilesystem(file, goldenOptions(facts));
      file.close();
      const expected = piecesOfFile(other, 1024 ** 2);
      for (const [piece, offset] of piecesOfFile(image, 1024 ** 2)) {
        const [wanted] = expected.next().value ?? [];
        if (wanted?.equals(piece) !== true) expect.fail(`another byte in the MiB at ${offset}`);
      }
      expect(expected.next().done).toBe(true);
      run('rm', [other]);
    } else {
      // 40 GiB: by its metadata blocks; that nothing else is written is a test of mkfs itself.
      for (const [address, { sha256: expected }] of Object.entries(blocks).filter(
        (_, index) => index % 20 === 0,
      )) {
        const block = spawnSync(
          'dd',
          [`if=${image}`, 'bs=4096', `skip=${address}`, 'count=1', 'status=none'],
          { encoding: 'buffer' },
        );
        expect(createHash('sha256').update(block.stdout).digest('hex')).toBe(expected);
      }
    }
    run('rm', [image]);
  });
});

describe("the HOWTO's steps", () => {
  test('ptool, gfsconf, mkfs_gfs, copy-in, fsck, info', () => {
    for (const [name, size] of [
      ['root_cidev', 4],
      ['root_fs', 64],
    ] as const) {
      writeFileSync(join(folder, name), '');
      truncateSync(join(folder, name), size * 1024 ** 2);
    }
    const config = (name: string, device: string): string =>
      `poolname ${name}\nsubpools 1\nsubpool 0 0 1 gfs_data\npooldevice 0 0 ${device} 0\n`;
    writeFileSync(join(folder, 'pool0cidev.cf'), config('pool0cidev', '/dev/loop1'));
    writeFileSync(join(folder, 'pool0.cf'), config('pool0', '/dev/loop2'));
    const nodes = [1, 2].map((node) => `node: 192.168.50.${node}      ${node}       SM: none\n`);
    const lockTable = `datadev:        /dev/pool/pool0\ncidev:          /dev/pool/pool0cidev\nlockdev:        192.168.50.101:15697\ncbport:         3001\ntimeout:        30\nSTOMITH: NUN\nname:none\n${nodes.join('')}`;
    writeFileSync(join(folder, 'gfscf.cf'), lockTable);
    outputOf('ptool', 'pool0cidev.cf', '--device', '/dev/loop1=root_cidev');
    outputOf('ptool', 'pool0.cf', '--device', '/dev/loop2=root_fs');
    outputOf('gfsconf', '-c', 'gfscf.cf', '--device', '/dev/pool/pool0cidev=root_cidev');
    outputOf('mkfs_gfs', ...mkfsOptions, 'root_fs');
    outputOf('copy-in', 'source', 'root_fs');
    expect(outputOf('fsck', 'root_fs')).toMatch(/^root_fs: clean, \d+ inodes/);
    expect(outputOf('pinfo', 'root_fs', 'root_cidev')).toMatch(/pool: +pool0\n[\s\S]*pool: +pool0cidev\n/);
    expect(outputOf('info', 'root_fs')).toMatch(
      /pool: +pool0, subpool 0 of 1[\s\S]*OpenGFS filesystem, format 1309\/1401[\s\S]*lock table: +\/dev\/pool\/pool0cidev/,
    );
    expect(outputOf('info', 'root_cidev')).toContain("this project's own envelope");
    expect(JSON.parse(outputOf('info', '--json', 'root_cidev'))).toMatchObject({
      kind: 'lock-table',
      lockTable: { text: lockTable },
    });
    expectError(inFolder('copy-in', 'source', 'root_fs'), 1, /root_fs: error: the filesystem is not empty/);
    expectError(
      inFolder('ptool', 'pool0cidev.cf', '--device', '/dev/loop1=root_fs'),
      1,
      /it belongs to the pool "pool0"/,
    );
    expectError(
      inFolder('ptool', 'pool0.cf', '--device', '/dev/loop3=root_fs'),
      2,
      /--device \/dev\/loop3: pool0\.cf names no such device/,
    );
  });

  test('a pool of four striped devices', () => {
    for (let index = 0; index < 4; index++) {
      writeFileSync(join(folder, `disk${index}`), '');
      truncateSync(join(folder, `disk${index}`), 10 * 1024 ** 2);
    }
    const devices = [0, 1, 2, 3].map((index) => `pooldevice 0 ${index} /dev/d${index}\n`).join('');
    writeFileSync(join(folder, 'striped.cf'), `poolname striped\nsubpools 1\nsubpool 0 128 4\n${devices}`);
    outputOf(
      'ptool',
      'striped.cf',
      ...[0, 1, 2, 3].flatMap((index) => ['--device', `/dev/d${index}=disk${index}`]),
    );
    const others = ['disk1', 'disk2', 'disk3'].flatMap((name) => ['--pool-device', name]);
    outputOf('mkfs_gfs', ...mkfsOptions, ...others, 'disk0');
    outputOf('copy-in', ...others, 'source', 'disk0');
    const shuffled = ['disk3', 'disk0', 'disk2'].flatMap((name) => ['--pool-device', name]);
    expect(outputOf('fsck', ...shuffled, 'disk1')).toMatch(/: clean, /);
    expect(outputOf('ls', '-R', '--json', '--digest', ...others, 'disk0')).toBe(
      outputOf('ls', '-R', '--json', '--digest', 'filled'),
    );
    expectError(inFolder('ls', 'disk0'), 1, /of subpool 0 1 of 4 devices are given\n.*--pool-device/);
  });
});

describe('looking inside', () => {
  test('ls -R --json --digest: the contract, in byte order of the paths', () => {
    const lines = outputOf('ls', '-R', '--json', '--digest', 'filled').trimEnd().split('\n');
    const objects = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const paths = objects.map(({ path }) => Buffer.from(path as string));
    expect([...paths].sort(Buffer.compare)).toEqual(paths);
    for (const object of objects) {
      expect(Object.keys(object)).toEqual(
        expect.arrayContaining(['path', 'type', 'mode', 'uid', 'gid', 'size', 'mtime', 'nlink']),
      );
    }
    expect(objects.find(({ path }) => path === '/size-513')).toMatchObject({
      type: 'file',
      size: 513,
      nlink: 2,
      sha256: sha256(join(source, 'size-513')),
    });
    expect(objects.find(({ path }) => path === '/setuid')).toMatchObject({ mode: '4751' });
  });

  test('ls, stat and cat as a person sees them', () => {
    expect(outputOf('ls', 'filled', '/folder')).toBe('in\nlink\nlinked\n');
    expect(outputOf('ls', '-l', 'filled', '/setuid')).toMatch(
      /^-rwsr-x--x +1 +\d+ +\d+ +12 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d setuid\n$/,
    );
    expect(outputOf('stat', 'filled', '/folder/link')).toMatch(
      /type: +symlink\n[\s\S]*target: +\.\.\/size-1\n/,
    );
    expect(JSON.parse(outputOf('stat', '--json', 'filled', 'fifo'))).toMatchObject({
      path: '/fifo',
      type: 'fifo',
    });
    expect(outputOf('cat', 'filled', 'folder/link')).toBe(readFileSync(join(source, 'size-1'), 'latin1'));
    expect(
      createHash('sha256')
        .update(outputOf('cat', 'filled', 'sparse'), 'utf8')
        .digest('hex'),
    ).toBeDefined();
  });

  test('a reader that closes early is no error', () => {
    const { status, stderr } = spawnSync(
      'bash',
      [
        '-o',
        'pipefail',
        '-c',
        `'${process.execPath}' '${program}' cat filled sparse | head -c 10 >/dev/null`,
      ],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('diff: equal is 0, different is 1', () => {
    expect(inFolder('diff', 'source', 'filled')).toMatchObject({ status: 0, stdout: '' });
    mkdirSync(join(folder, 'other'));
    const result = inFolder('diff', '--json', 'other', 'filled');
    expect(result.status).toBe(1);
    expect(result.stdout).toContain('{"path":"/setuid","kind":"added"}');
  });

  test('extract', () => {
    outputOf('extract', 'filled', '/', 'extracted');
    expect(inFolder('diff', 'filled', 'extracted').stdout).toBe('');
    expectError(inFolder('extract', 'filled', '/', 'extracted'), 1, /extracted: error: it exists already/);
  });

  describeWith(['gzip', 'tar'], 'archives', () => {
    test('a compressed tar is an image like any other', () => {
      run('tar', ['-czf', join(folder, 'source.tar.gz'), '--format=pax', '-C', source, '.']);
      expect(inFolder('diff', 'source.tar.gz', 'filled')).toMatchObject({ status: 0, stdout: '' });
      expect(outputOf('info', 'source.tar.gz')).toMatch(/content: +tar archive/);
      outputOf('mkfs_gfs', ...mkfsOptions, '--size', '32MiB', '-d', 'source.tar.gz', 'from-tar');
      expect(sha256(join(folder, 'from-tar'))).toBe(sha256(join(folder, 'filled')));
    });
  });
});

describe('what goes wrong', () => {
  test.each([
    ['an unknown command', ['lss', 'filled'], 2, /unknown command 'lss'[\s\S]*Did you mean ls/],
    ['an unknown option', ['ls', '--jsn', 'filled'], 2, /unknown option '--jsn'[\s\S]*Did you mean --json/],
    ['a missing argument', ['cat', 'filled'], 2, /missing required argument 'PATH'/],
    ['no image', ['info', 'nothing'], 1, /^nothing: error: no such file or directory/],
    ['a directory that is no filesystem command', ['info', 'source'], 1, /source: error: not a file/],
    [
      'a file that is no image',
      ['ls', 'source/size-20000'],
      1,
      /no filesystem or archive that is known here/,
    ],
    [
      'a path that is not there',
      ['cat', 'filled', '/nothing'],
      1,
      /filled: \/nothing: error: no such file in the image/,
    ],
    ['cat of a directory', ['cat', 'filled', '/folder'], 2, /\/folder is a directory, not a file/],
    ['a bad size', ['mkfs_gfs', ...mkfsOptions, '--size', '2GB', 'new'], 2, /--size: "2GB" is no size/],
    [
      'a bad number',
      ['mkfs_gfs', '-p', 'memexp', '-t', 'x', '-j', 'two', 'new'],
      2,
      /-j: "two" is no whole number/,
    ],
    [
      'no image for mkfs',
      ['mkfs_gfs', ...mkfsOptions, 'new'],
      1,
      /new: error: no such file\n.*truncate -s 2GiB/,
    ],
    [
      'an image that exists',
      ['mkfs_gfs', ...mkfsOptions, '--size', '32MiB', 'filled'],
      1,
      /filled: error: it exists already/,
    ],
    [
      'an image with files in it',
      ['mkfs_gfs', ...mkfsOptions, 'filled'],
      1,
      /holds an OpenGFS filesystem with files in it\n.*-O/,
    ],
    [
      'a device map without an image',
      ['ptool', 'pool0.cf', '--device', '/dev/loop2'],
      2,
      /needs the form NAME=IMAGE/,
    ],
    [
      'a damaged source',
      ['mkfs_gfs', ...mkfsOptions, '--size', '32MiB', '-d', 'source/size-20000', 'new'],
      1,
      /source\/size-20000: error: no filesystem/,
    ],
  ] as const)('%s', (_name, args, status, message) => {
    const before = readdirSync(folder).sort();
    expectError(inFolder(...args), status, message);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test('a wrong clock', () => {
    const result = ssiImage(['mkfs_gfs', ...mkfsOptions, '--size', '32MiB', 'new'], {
      cwd: folder,
      env: { SOURCE_DATE_EPOCH: 'now' },
    });
    expectError(result, 2, /SOURCE_DATE_EPOCH: "now" is no whole number/);
  });

  test('an image that is too small says how much is missing, and stays empty', () => {
    outputOf('mkfs_gfs', ...mkfsOptions, '-r', '1', '--size', '4MiB', 'small');
    writeFileSync(join(folder, 'big'), Buffer.alloc(5_000_000, 1));
    mkdirSync(join(folder, 'big-tree'));
    run('mv', [join(folder, 'big'), join(folder, 'big-tree', 'big')]);
    const before = sha256(join(folder, 'small'));
    expectError(
      inFolder('copy-in', 'big-tree', 'small'),
      1,
      /small: error: the content needs \d+ blocks of 4096 bytes \(4\.8 MiB\), but only \d+ .* are free\n.*at least \d+ MiB larger/,
    );
    expect(sha256(join(folder, 'small'))).toBe(before);
  });

  test('an image into itself', () => {
    expectError(inFolder('copy-in', 'small', 'small'), 2, /are the same file/);
  });

  test('a damaged image: fsck finds it and exits with 4', () => {
    const bytes = readFileSync(join(folder, 'filled'));
    bytes.fill(0, 65536 + 4096, 65536 + 4096 + 24);
    writeFileSync(join(folder, 'damaged'), bytes);
    const result = inFolder('fsck', 'damaged');
    expect(result.stdout).toMatch(/^damaged: block 17: .*\[resource-group-header\]$/m);
    expect(result.status).toBe(4);
    expect(JSON.parse(inFolder('fsck', '--json', 'damaged').stdout)).toMatchObject({
      image: 'damaged',
      truncated: false,
    });
  });

  test('a file that would grow beyond the limit of the process', () => {
    const script = `ulimit -f 2000; exec '${process.execPath}' '${program}' mkfs_gfs ${mkfsOptions.join(' ')} --size 32MiB -d source limited`;
    const { status, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toMatch(/limited.*error: the file would be larger than/);
    expect(status).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('limited'))).toEqual([]);
  });

  test.runIf(process.getuid?.() === 0)('a full disk', () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    try {
      mkdirSync(join(folder, 'dense'));
      writeFileSync(join(folder, 'dense', 'file'), Buffer.alloc(8_000_000, 3));
      expectError(
        inFolder('mkfs_gfs', ...mkfsOptions, '--size', '32MiB', '-d', 'dense', 'disk/image'),
        1,
        /disk\/image: error: no space left on the device\n.*Free some space/,
      );
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      run('umount', [disk]);
    }
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s leaves an empty filesystem, and a second try works',
    async (signal) => {
      mkdirSync(join(folder, `large-${signal}`));
      for (let index = 0; index < 120; index++)
        writeFileSync(join(folder, `large-${signal}`, `${index}`), Buffer.alloc(8_000_000, index + 1));
      const image = `interrupted-${signal}`;
      outputOf('mkfs_gfs', ...mkfsOptions, '--size', '1200MiB', image);
      const child = spawn(process.execPath, [program, 'copy-in', `large-${signal}`, image], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const exited = once(child, 'exit');
      // Some data has been written: the copy is under way.
      while (statSync(join(folder, image)).blocks * 512 < 30_000_000 && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill(signal);
      const [code] = (await exited) as [number | null];
      expect(code).toBe(130);
      expect(outputOf('fsck', image)).toMatch(/: clean, 5 inodes/);
      outputOf('copy-in', `large-${signal}`, image);
      expect(outputOf('fsck', image)).toMatch(/: clean, 125 inodes/);
      run('rm', ['-r', join(folder, image), join(folder, `large-${signal}`)]);
    },
  );

  test('a stack trace only with --debug', () => {
    expect(inFolder('--debug', 'info', 'nothing').stderr).toMatch(/^\s+at /m);
    expect(existsSync(join(folder, 'nothing'))).toBe(false);
  });
});
