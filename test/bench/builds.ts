import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Contestant } from './measure.js';

/** What the benchmarks of builds need to know of the run. */
export interface Places {
  /** The checkout. */
  readonly root: string;
  readonly work: string;
  /** A Debian root as an ext2 image in one bzip2 stream. */
  readonly packed: string;
  readonly isRoot: boolean;
}

const tools = (root: string): string => join(root, 'recipes', 'sample', 'cluster-tools');

/** `build redhat72` with the Debian root as its base and the cluster-tools sample. */
function buildCommand(
  { root, packed }: Places,
  recipe: string,
  cache: string,
  out: string,
): Contestant['command'] {
  const script = join(root, 'dist', 'scripts', 'ssi-image.js');
  const sets = ['--set', `base.image=${packed}`, '--set', `clusterTools.source=${tools(root)}`];
  return [process.execPath, script, 'build', recipe, '--cache-dir', cache, '--out', out, ...sets];
}

function without(...paths: string[]): () => void {
  return () => {
    for (const path of paths) rmSync(path, { recursive: true, force: true });
  };
}

/** The HOWTO's commands as far as they run today: ext2 stands in for GFS, whose tools and module do not. */
function howtoScript({ root, work, packed }: Places): string {
  const [ext2, image] = [join(work, 'howto.ext2'), join(work, 'howto.root_fs')];
  return [
    'set -e; b=$(mktemp -d); m=$(mktemp -d); t=$(mktemp -d)',
    'trap \'umount "$b" "$m" 2>/dev/null || true; rmdir "$b" "$m"; rm -rf "$t"\' EXIT',
    `bunzip2 -c ${packed} > ${ext2}`,
    `mount ${ext2} "$b" -o loop,ro`,
    `dd of=${image} bs=1024 seek=2097152 count=0 status=none`,
    `mke2fs -q -t ext2 ${image}; mount -o loop ${image} "$m"`,
    'cp -a "$b"/. "$m"',
    `cp -a ${tools(root)} "$t"/tools; make -s -C "$t"/tools install_ssi_redhat UML_ROOT="$m" >/dev/null`,
    'umount "$m"; umount "$b"',
    `rm ${ext2}`,
  ].join('\n');
}

/** A whole build with nothing in the cache, beside what it can't do without, and the HOWTO's way. */
export function coldContestants(places: Places): Contestant[] {
  const { work, packed, isRoot } = places;
  const [cache, out, plain] = [join(work, 'cold-cache'), join(work, 'cold-out'), join(work, 'plain.ext2')];
  return [
    {
      name: '`lbzip2 -dc` of the base to a file, alone',
      command: ['bash', '-c', `lbzip2 -dc ${packed} > ${plain}`],
      prepare: without(plain),
    },
    {
      name: '`build redhat72`, nothing cached',
      command: buildCommand(places, 'redhat72', cache, out),
      prepare: without(cache, out),
    },
    ...(isRoot
      ? [
          {
            name: "the HOWTO's commands: `bunzip2`, loop mounts, `cp -a`, `make` (root)",
            command: ['bash', '-c', howtoScript(places)],
            prepare: without(join(work, 'howto.root_fs'), join(work, 'howto.ext2')),
          } as const,
        ]
      : []),
  ];
}

/** A build with nothing to do, or with one small change, beside wireit with the same files. */
export function againContestants(places: Places): Contestant[] {
  const { root, work, packed } = places;
  const [cache, out, folder] = [join(work, 'warm-cache'), join(work, 'warm-out'), join(work, 'warm')];
  mkdirSync(folder, { recursive: true });
  const recipe = join(folder, 'changing.yaml');
  const motd = join(folder, 'motd');
  writeFileSync(motd, 'first\n');
  writeFileSync(
    recipe,
    `recipe: 1\nextends: ${join(root, 'recipes', 'redhat72.yaml')}\nname: changing\nconfigure:\n  files: [{from: ./motd, to: /etc/motd}]\n`,
  );
  const command = buildCommand(places, recipe, cache, out);
  execFileSync(command[0], command.slice(1), { stdio: 'ignore' });
  return [
    { name: '`build`, nothing changed', command },
    { name: 'wireit, nothing changed (`npm run`)', command: wireitCommand(places) },
    {
      name: '`build`, one file of `configure` changed',
      command,
      prepare: () => writeFileSync(motd, `${randomBytes(8).toString('hex')}\n`),
    },
    {
      name: '`lbzip2 -dc` of the base, for scale',
      command: ['bash', '-c', `lbzip2 -dc ${packed} > /dev/null`],
    },
  ];
}

/** The same task for wireit: the packed base in, an image of the same length and content out. */
function wireitCommand({ root, work, packed }: Places): Contestant['command'] {
  const folder = join(work, 'wireit');
  if (!existsSync(folder)) {
    mkdirSync(folder);
    execFileSync('cp', ['--sparse=always', join(work, 'warm-out', 'root_fs'), join(folder, 'made')]);
    execFileSync('ln', [packed, join(folder, 'base.bz2')]);
    const build = { command: 'cp --sparse=always made root_fs', files: ['base.bz2'], output: ['root_fs'] };
    const manifest = { name: 'peer', scripts: { build: 'wireit' }, wireit: { build } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    execFileSync('ln', ['-s', join(root, 'node_modules'), join(folder, 'node_modules')]);
  }
  return ['npm', '--silent', '--prefix', folder, 'run', 'build'];
}

/** Decoding alone. */
export function decodeContestants({ root, work, packed }: Places): Contestant[] {
  const out = join(work, 'decoded');
  const unpack = pathToFileURL(join(root, 'dist', 'pipelines', 'unpack.js')).href;
  const script = `const { unpack } = await import('${unpack}'); await unpack('${packed}', '${out}');`;
  return [
    {
      name: '`bzip2 -dc` to a file',
      command: ['bash', '-c', `bzip2 -dc ${packed} > ${out}`],
      prepare: without(out),
    },
    {
      name: 'our decoder, with holes and SHA-256',
      command: [process.execPath, '--input-type=module', '-e', script],
      prepare: without(out),
    },
    {
      name: '`lbzip2 -dc` to a file',
      command: ['bash', '-c', `lbzip2 -dc ${packed} > ${out}`],
      prepare: without(out),
    },
  ];
}
