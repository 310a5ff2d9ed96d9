// node dist/test/bench/bzip2.js FILE.bz2: unpacking against its peers in the same run. Prints a Markdown table.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpack } from '../../pipelines/unpack.js';
import { type Contestant, compare, table } from './measure.js';

const [first, ...rest] = process.argv.slice(2);
if (first === undefined) {
  process.stderr.write('usage: bzip2.js FILE.bz2\n');
  process.exit(2);
}
if (first === '--unpack') await unpackOnce(rest);
else await bench(resolve(first));

/** What is timed: this script again, with nothing else to do. */
async function unpackOnce([path, destination]: readonly string[]): Promise<void> {
  if (path === undefined || destination === undefined) throw new Error('usage: --unpack FILE DESTINATION');
  process.stdout.write(`${JSON.stringify(await unpack(path, destination))}\n`);
}

async function bench(file: string): Promise<void> {
  const work = mkdtempSync(join(process.env.BENCH_WORK ?? tmpdir(), 'ssi-images-bench-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  const destination = join(work, 'out');
  const prepare = (): void => rmSync(destination, { force: true });
  const shell = (command: string): [string, ...string[]] => [
    'sh',
    '-c',
    `exec ${command}`,
    'sh',
    file,
    destination,
  ];
  const ours: [string, ...string[]] = [
    process.execPath,
    fileURLToPath(import.meta.url),
    '--unpack',
    file,
    destination,
  ];
  const contestants: Contestant[] = [
    { name: '`lbzip2 -dc FILE > OUT`', command: shell('lbzip2 -dc "$1" > "$2"'), prepare },
    { name: '`bzip2 -dc FILE > OUT`', command: shell('bzip2 -dc "$1" > "$2"'), prepare },
    { name: 'unpack (sparse file and SHA-256)', command: ours, prepare },
  ];
  const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
  process.stdout.write(table('Unpack a .bz2', await compare(contestants, rounds)));
}
