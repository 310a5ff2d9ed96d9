// npm run bench [-- NAME…]: whole commands against their peers in the same run. Prints Markdown tables.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootContestants } from './boot.js';
import { againContestants, coldContestants, decodeContestants, type Places } from './builds.js';
import { debianContestants, gfs2Contestants } from './gfs2.js';
import { type Contestant, compare, table } from './measure.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const ssiImage = join(root, 'dist', 'scripts', 'ssi-image.js');
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const fixtures = process.env.BENCH_FIXTURES ?? join(tmpdir(), 'ssi-images-fixtures');
const work = mkdtempSync(join(process.env.BENCH_WORK ?? tmpdir(), 'ssi-images-bench-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const tar = join(fixtures, 'debian.tar');
const ext2 = join(fixtures, 'debian.ext2');
const tree = join(work, 'tree');

function ours(...args: string[]): [string, ...string[]] {
  return [process.execPath, ssiImage, ...args];
}

function prepareFixtures(): void {
  mkdirSync(fixtures, { recursive: true });
  execFileSync('bash', [join(root, 'test', 'fixtures', 'debian-root.sh'), fixtures], { stdio: 'inherit' });
  mkdirSync(tree);
  // Without root there are no device nodes and no foreign owners; both sides then copy the same poorer tree.
  execFileSync('tar', ['-xf', tar, '-C', tree, ...(isRoot ? [] : ['--exclude=./dev/*'])]);
}

function fresh(...names: string[]): () => void {
  return () => {
    for (const name of names) rmSync(join(work, name), { force: true, recursive: true });
  };
}

const gfsOptions = [
  '-q',
  '-p',
  'memexp',
  '-t',
  '/dev/pool/pool0cidev',
  '-j',
  '15',
  '-J',
  '32',
  '-i',
  '--size',
  '2GiB',
];

function fillContestants(): Contestant[] {
  const loop = [
    'set -e; m=$(mktemp -d); trap \'umount "$m" 2>/dev/null || true; rmdir "$m"\' EXIT',
    `truncate -s 2G ${join(work, 'loop.img')}; mke2fs -q -t ext2 ${join(work, 'loop.img')}`,
    `mount -o loop ${join(work, 'loop.img')} "$m"; cp -a ${tree}/. "$m"; umount "$m"`,
  ].join('\n');
  return [
    {
      name: '`mke2fs -t ext2 -d`',
      command: ['mke2fs', '-q', '-t', 'ext2', '-d', tree, join(work, 'ext2.img'), '2G'],
      prepare: fresh('ext2.img'),
    },
    {
      name: 'OpenGFS from the same directory (`mkfs_gfs -d DIR`)',
      command: ours('mkfs_gfs', ...gfsOptions, '-d', tree, join(work, 'gfs.img')),
      prepare: fresh('gfs.img'),
    },
    {
      name: 'OpenGFS from a tar (`mkfs_gfs -d TAR`)',
      command: ours('mkfs_gfs', ...gfsOptions, '-d', tar, join(work, 'gfs.img')),
      prepare: fresh('gfs.img'),
    },
    {
      name: 'OpenGFS from an ext2 image (`mkfs_gfs -d IMAGE`)',
      command: ours('mkfs_gfs', ...gfsOptions, '-d', ext2, join(work, 'gfs.img')),
      prepare: fresh('gfs.img'),
    },
    ...(isRoot
      ? [
          {
            name: '`mke2fs`, loop mount, `cp -a` (root)',
            command: ['bash', '-c', loop],
            prepare: fresh('loop.img'),
          } as const,
        ]
      : []),
  ];
}

function readContestants(): Contestant[] {
  const gfs = join(work, 'read.img');
  if (!existsSync(gfs)) execFileSync(process.execPath, [ssiImage, 'mkfs_gfs', ...gfsOptions, '-d', tar, gfs]);
  return [
    { name: 'Node starting up', command: [process.execPath, '-e', ''] },
    { name: '`ls /etc` of ext2', command: ours('ls', ext2, '/etc') },
    { name: '`ls /etc` of OpenGFS', command: ours('ls', gfs, '/etc') },
    { name: '`ls -R --json` of ext2 (all metadata)', command: ours('ls', '-R', '--json', ext2) },
    { name: '`ls -R --json` of OpenGFS (all metadata)', command: ours('ls', '-R', '--json', gfs) },
    { name: '`ls -R --json` of the tar (all metadata)', command: ours('ls', '-R', '--json', tar) },
    { name: '`fsck` of OpenGFS', command: ours('fsck', gfs) },
  ];
}

const benchmarks: Record<string, readonly [title: string, contestants: () => Contestant[]]> = {
  fill: ['Fill a 2 GiB image', fillContestants],
  read: ['Look into an image', readContestants],
  cold: ['Build a root image from a packed base', () => coldContestants(places)],
  again: ['Build it again', () => againContestants(places)],
  gfs2: ['Fill a GFS2 image', () => gfs2Contestants(places, tar)],
  debian: ['Build the recipe debian', () => debianContestants(places)],
  boot: ['Start nodes of the recipe debian, until they are ready', () => bootContestants(places)],
  decode: ['Decode bzip2', () => decodeContestants(places)],
};

const places: Places = { root, work, packed: join(fixtures, 'debian.ext2.bz2'), isRoot };

const chosen = process.argv.slice(2);
prepareFixtures();
for (const [name, [title, contestants]] of Object.entries(benchmarks)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stdout.write(`${table(title, await compare(contestants(), rounds))}\n`);
}
