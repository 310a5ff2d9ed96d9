import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { MKFS_DEFAULTS, makeFilesystem } from '../../images/gfs/mkfs.js';
import { populate } from '../../images/gfs/writer.js';
import { printLockTable } from '../../images/lock-table/config.js';
import { writeEnvelope } from '../../images/lock-table/envelope.js';
import { LABEL_AREA_BYTES, labelsFor, writePoolLabel } from '../../images/pool/label.js';
import type { Attributes } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { writeTar } from '../support/tar-archive.js';

/** A small image or archive of each kind, to be mutated. */
export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
}

const attributes: Attributes = {
  mode: 0o644,
  uid: 1000,
  gid: 100,
  mtime: { seconds: 1030000000, nanoseconds: 0 },
};

/** A tree with every structure and little data. */
function smallTree(): Tree {
  const builder = new TreeBuilder({ ...attributes, mode: 0o755 });
  const file = (size: number, step = 512): Parameters<TreeBuilder['put']>[1] => {
    const bytes = Buffer.alloc(size);
    for (let offset = 0; offset < size; offset += step) bytes[offset] = 1 + (offset % 251);
    return { ...attributes, type: 'file', size, content: { kind: 'inline', bytes } };
  };
  builder.put('stuffed', file(200));
  builder.link('linked', 'stuffed');
  builder.put('high', file(150_000));
  builder.put('sparse', file(400_000, 131_072));
  builder.put('link', { ...attributes, type: 'symlink', target: 'stuffed' });
  builder.put('long', { ...attributes, type: 'symlink', target: 'x'.repeat(150) });
  builder.put('dev/null', { ...attributes, type: 'character', major: 1, minor: 3 });
  builder.put('dev/ubd', { ...attributes, type: 'block', major: 98, minor: 16 });
  builder.put('dev/fifo', { ...attributes, type: 'fifo' });
  for (let index = 0; index < 120; index++) builder.put(`many/name-${index}`, file(index));
  builder.put('a/b/c/d/e/f', file(1));
  return builder.build();
}

async function opengfs(folder: string, blockSize: number): Promise<Buffer> {
  const path = join(folder, `gfs.${blockSize}`);
  const sink = SparseFile.create(path, 4 * 1024 ** 2);
  makeFilesystem(sink, {
    ...MKFS_DEFAULTS,
    blockSize,
    journals: 1,
    journalMiB: 1,
    resourceGroupMiB: 1,
    expert: true,
    lockProtocol: 'memexp',
    lockTable: '/dev/pool/pool0cidev',
    time: 0,
  });
  sink.flush();
  const source = new FileSource(path);
  await populate({ source, sink }, smallTree(), { pace: new Pace() });
  sink.close();
  source.close();
  return readFileSync(path);
}

/** The smallest that mkfs.gfs2 makes; undefined where that is missing. */
async function gfs2(folder: string, blockSize: number): Promise<Sample | undefined> {
  const path = join(folder, `gfs2.${blockSize}`);
  SparseFile.create(path, 17 * 1024 ** 2).close();
  const options = ['-O', '-q', '-K', '-p', 'lock_nolock', '-J', '8', '-b', `${blockSize}`];
  if (!tryRun('mkfs.gfs2', [...options, path], folder)) return undefined;
  const sink = SparseFile.open(path);
  const source = new FileSource(path);
  await populate({ source, sink }, smallTree(), { pace: new Pace() });
  sink.close();
  source.close();
  return { name: `gfs2-${blockSize}`, bytes: readFileSync(path) };
}

function pooled(content: Buffer): Buffer {
  const config = {
    name: 'pool0',
    minor: 0,
    subpools: [{ id: 0, stripe: 0, devices: 1, type: 'gfs_data' as const }],
    devices: [{ subpool: 0, id: 0, path: '/dev/loop2', weight: 0 }],
  };
  const [label] = labelsFor(config, [LABEL_AREA_BYTES + content.length]);
  const area = Buffer.alloc(LABEL_AREA_BYTES);
  if (label !== undefined) writePoolLabel(label).copy(area);
  return Buffer.concat([area, content]);
}

function lockTable(): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  const nodes = Array.from({ length: 15 }, (_, index) => ({
    ip: `192.168.50.${index + 1}`,
    cid: index + 1,
    sm: 'none',
  }));
  const text = printLockTable({
    datadev: '/dev/pool/pool0',
    cidev: '/dev/pool/pool0cidev',
    lockdev: '192.168.50.101:15697',
    cbport: 3001,
    timeout: 30,
    stomith: 'NUN',
    name: 'none',
    nodes,
  });
  writeEnvelope(
    { name: 'cidev', size: bytes.length, write: (data, offset) => bytes.set(data, offset), flush: () => {} },
    text,
  );
  return pooled(bytes);
}

/** A folder of the host for the archivers and mke2fs. */
function hostTree(folder: string): string {
  const root = join(folder, 'tree');
  mkdirSync(join(root, 'a/b/c'), { recursive: true });
  mkdirSync(join(root, 'many'));
  writeFileSync(join(root, 'small'), 'small\n');
  writeFileSync(join(root, 'large'), Buffer.alloc(300_000, 'x'));
  writeFileSync(join(root, 'sparse'), '');
  truncateSync(join(root, 'sparse'), 900_000);
  symlinkSync('small', join(root, 'link'));
  symlinkSync('y'.repeat(90), join(root, 'long'));
  for (let index = 0; index < 150; index++) writeFileSync(join(root, 'many', `name-${index}`), `${index}`);
  return root;
}

function tryRun(command: string, args: readonly string[], cwd: string, input?: string): boolean {
  try {
    execFileSync(command, args, {
      cwd,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      ...(input === undefined ? {} : { input }),
    });
    return true;
  } catch {
    return false;
  }
}

/** What other people's programs make, where they are installed. */
function foreignSamples(folder: string): Sample[] {
  const root = hostTree(folder);
  const samples: Sample[] = [];
  const variants: readonly (readonly [string, readonly string[]])[] = [
    ['ext2', ['-t', 'ext2', '-b', '1024', '-I', '128']],
    ['ext3', ['-t', 'ext3', '-b', '1024', '-J', 'size=1']],
    ['ext4', ['-t', 'ext4', '-b', '1024', '-O', '^has_journal']],
    ['ext4-inline', ['-t', 'ext4', '-b', '4096', '-O', 'inline_data,^has_journal']],
  ];
  for (const [name, options] of variants) {
    const image = join(folder, name);
    if (tryRun('mke2fs', ['-q', '-F', ...options, '-d', root, image, '4M'], folder))
      samples.push({ name, bytes: readFileSync(image) });
  }
  for (const [name, args] of [
    ['tar-gnu', ['-S', '--format=gnu', '-cf']],
    ['tar-pax', ['-S', '--format=pax', '-cf']],
    ['tar-ustar', ['--format=ustar', '-cf']],
  ] as const) {
    const archive = join(folder, name);
    if (tryRun('tar', [...args, archive, '-C', root, '.'], folder))
      samples.push({ name, bytes: readFileSync(archive) });
  }
  for (const format of ['newc', 'odc']) {
    const archive = join(folder, `cpio-${format}`);
    const names = execFileSync('find', ['.'], { cwd: root, encoding: 'utf8' });
    if (tryRun('cpio', ['-o', '-H', format, '-F', archive], root, names) && existsSync(archive)) {
      samples.push({ name: `cpio-${format}`, bytes: readFileSync(archive) });
    }
  }
  return samples;
}

/** All samples. They are the same at each call, but for the times that mke2fs and the archivers put in. */
export async function makeSamples(): Promise<Sample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ssi-images-fuzz-'));
  try {
    const gfs = await opengfs(folder, 4096);
    const tar = join(folder, 'own.tar');
    writeTar(tar, smallTree());
    return [
      { name: 'opengfs-4096', bytes: gfs },
      { name: 'opengfs-1024', bytes: await opengfs(folder, 1024) },
      { name: 'opengfs-512', bytes: await opengfs(folder, 512) },
      { name: 'pool', bytes: pooled(gfs) },
      { name: 'lock-table', bytes: lockTable() },
      { name: 'tar-own', bytes: readFileSync(tar) },
      ...[await gfs2(folder, 1024), await gfs2(folder, 4096)].flatMap((sample) => sample ?? []),
      ...foreignSamples(folder),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
