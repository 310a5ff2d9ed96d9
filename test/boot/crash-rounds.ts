/**
 * Nodes that crash while they write: rounds of start, write, crash, bring back, compare, stop, fsck.gfs2.
 *
 *   npm run build && node dist/test/boot/crash-rounds.js [--rounds 20] [--seed N] [--out out/debian] [--calm]
 *
 * Fails when a file that was said to be on the disk (fsync) is not what it was, when anything of a cluster is left
 * behind, or when fsck.gfs2 says something that this does not account for.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ClusterStatus } from '../../pipelines/nodes/cluster-status.js';
import { memoryPrefix } from '../../pipelines/nodes/memory-folder.js';
import { checkAfterCrash } from '../support/fsck-after-crash.js';
import { processesWith } from '../support/processes.js';

const NODES = [1, 2] as const;
const CLUSTER = 'rounds';

/** Makes files whose text follows from their names, removes old ones, and says what is on the disk. */
const WRITER = `use IO::Handle;
$| = 1;
my ($round, $node) = @ARGV;
my $folder = "/root/rounds/$node";
for (my $number = 0; ; $number++) {
  my $name = "$round.$node.$number";
  open my $file, '>', "$folder/$name" or die "$name: $!";
  print $file "$name\\n" x (1 + $number * 7 % 400);
  $file->flush && $file->sync or die "$name: $!";
  close $file or die "$name: $!";
  # In a folder that both write, and under another name.
  rename "$folder/$name", "/root/rounds/both/$name" or die "$name: $!" if $number % 5 == 0;
  if ($number % 5 == 0) { open my $both, '<', '/root/rounds/both' or die $!; $both->sync or die $! }
  print "$name\\n";
}`;

/** Compares the files that are named on standard input; removes them when they are right. */
const READER = `my $wrong = 0;
while (my $name = <STDIN>) {
  chomp $name;
  my ($round, $node, $number) = split /\\./, $name;
  my $folder = $number % 5 == 0 ? 'both' : $node;
  my $path = "/root/rounds/$folder/$name";
  my $text;
  if (open my $file, '<', $path) { local $/; $text = <$file> }
  if (!defined $text) { print "$name is not there\\n"; $wrong++ }
  elsif ($text ne "$name\\n" x (1 + $number * 7 % 400)) { print "$name has other bytes: ", length $text, "\\n"; $wrong++ }
}
exit $wrong > 0;`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    out: { type: 'string', default: 'out/debian' },
    /** For comparison: the same without a crash. */
    calm: { type: 'boolean', default: false },
  },
});
const out = resolve(values.out);
const home = mkdtempSync(join(tmpdir(), 'ssi-crash-rounds-'));
const random = generator(Number(values.seed));
let faults = 0;
/** Lost blocks of the rounds before: nobody frees them. */
const known = new Set<number>();

function generator(seed: number): () => number {
  let state = seed >>> 0;
  // A linear congruential generator (Numerical Recipes): only to choose moments.
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function program(name: string): string {
  return fileURLToPath(new URL(`../../scripts/ssi-${name}.js`, import.meta.url));
}

const environment = { ...process.env, HOME: home, NO_COLOR: '1', TERM: 'dumb' };

function command(name: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program(name), ...args], {
    encoding: 'utf8',
    env: environment,
    input,
    maxBuffer: 256 * 1024 * 1024,
    timeout: 300_000,
  });
  if (status !== 0)
    throw new Error(`ssi-${name} ${args.join(' ')} exited with ${status}:\n${stderr}${stdout}`);
  return stdout;
}

function fault(text: string): void {
  faults += 1;
  process.stdout.write(`FAULT: ${text}\n`);
}

/** Starts a writer; what it says is on the disk. */
function writer(round: number, node: number): { acknowledged: () => string[]; stop: () => Promise<void> } {
  let said = '';
  const child = spawn(
    process.execPath,
    [program('exec'), '--name', CLUSTER, `${node}`, 'perl', '-e', WRITER, `${round}`, `${node}`],
    { env: environment, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString('utf8');
  });
  return {
    acknowledged: () => said.split('\n').slice(0, -1),
    // The signal goes through to the writer.
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** One round. Returns how many files were written. */
async function round(number: number): Promise<number> {
  command('start', [`${NODES.length}`, '--out', out, '--name', CLUSTER]);
  command('exec', ['--name', CLUSTER, '1', 'mkdir -p /root/rounds/1 /root/rounds/2 /root/rounds/both']);
  const writers = NODES.map((node) => writer(number, node));
  await sleep(1500 + random() * 4000);
  const victim = NODES[Math.floor(random() * NODES.length)] ?? 1;
  const survivor = victim === 1 ? 2 : 1;
  const start = performance.now();
  if (!values.calm) command('rm', ['--name', CLUSTER, `${victim}`]);
  // Until it has noticed, the survivor goes on with what it holds locks for.
  const hasNoticed = await within(() => values.calm || !members(survivor).includes(victim));
  if (!hasNoticed) fault(`round ${number}: node ${survivor} does not notice within 30 s`);
  const count = (): number => writers[survivor - 1]?.acknowledged().length ?? 0;
  const before = count();
  if (!(await within(() => count() >= before + 5)))
    fault(`round ${number}: node ${survivor} does not go on within 30 s`);
  const recovery = performance.now() - start;
  command('add', ['--name', CLUSTER, `${victim}`]);
  await Promise.all(writers.map((each) => each.stop()));
  const acknowledged = writers.flatMap((each) => each.acknowledged());
  for (const node of NODES) compare(number, node, acknowledged);
  // Half of them go, so that there is something to free.
  command('exec', ['--name', CLUSTER, `${victim}`, `rm -r /root/rounds/${survivor}/*`]);
  command('stop', ['--name', CLUSTER]);
  process.stdout.write(
    `round ${number}: node ${victim} ${values.calm ? 'did not crash' : 'crashed'}, ${acknowledged.length} files kept, others went on after ${(recovery / 1000).toFixed(1)} s\n`,
  );
  return acknowledged.length;
}

/** Waits until something holds. False after 30 s. */
async function within(holds: () => boolean): Promise<boolean> {
  for (const start = performance.now(); performance.now() - start < 30_000; await sleep(50))
    if (holds()) return true;
  return false;
}

/** The members of the cluster that a node sees. */
function members(node: number): readonly number[] {
  const { nodes } = JSON.parse(command('status', ['--name', CLUSTER, '--json'])) as ClusterStatus;
  return nodes.find((each) => each.node === node)?.members ?? [];
}

function compare(number: number, node: number, names: readonly string[]): void {
  try {
    command('exec', ['--name', CLUSTER, `${node}`, 'perl', '-e', READER], `${names.join('\n')}\n`);
  } catch (error) {
    fault(`round ${number}, seen by node ${node}: ${(error as Error).message}`);
  }
}

/** Every line that fsck.gfs2 says has to be accounted for: with one inode at most that the node was about to make. */
function check(number: number): void {
  const { faults: found, lostBlocks } = checkAfterCrash(join(home, '.ssiuml', CLUSTER, 'root_fs'));
  for (const line of found) fault(`round ${number}: fsck.gfs2: ${line}`);
  const [lost, ...more] = lostBlocks.filter((block) => !known.has(block));
  for (const block of more) fault(`round ${number}: another lost block ${block}`);
  if (lost === undefined) return;
  if (values.calm) fault(`round ${number}: a lost block ${lost} without a crash`);
  process.stdout.write(`round ${number}: block ${lost} was taken for an inode as the node died\n`);
  known.add(lost);
}

/** Processes, sockets and memory that a round left. */
function leftovers(number: number): void {
  const folder = join(home, '.ssiuml', CLUSTER);
  const memory = readdirSync('/dev/shm').filter((name) => name.startsWith(memoryPrefix(folder)));
  for (const name of memory) fault(`round ${number}: /dev/shm/${name} is left`);
  for (const pid of processesWith([`=${home}`])) fault(`round ${number}: process ${pid} is left`);
  try {
    for (const name of readdirSync(join(home, '.ssiuml/run')))
      fault(`round ${number}: ${name} is left of the sockets`);
  } catch {
    // The folder was never needed.
  }
}

/** What the consoles showed in a round that went wrong: the next round's would take its place. */
function keepLogs(number: number): void {
  const logs = join(home, '.ssiuml', CLUSTER, 'logs');
  if (existsSync(logs)) cpSync(logs, join(home, `logs.${number}`), { recursive: true });
}

function stopAtOnce(): void {
  spawnSync(process.execPath, [program('stop'), '--now', '--name', CLUSTER], { env: environment });
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    stopAtOnce();
    rmSync(home, { recursive: true, force: true });
    process.exit(code);
  });
mkdirSync(join(home, '.ssiuml'), { recursive: true });
process.stdout.write(`seed ${values.seed}, ${values.rounds} rounds from ${out}\n`);
let files = 0;
try {
  for (let number = 1; number <= Number(values.rounds); number++) {
    const before = faults;
    try {
      files += await round(number);
      check(number);
      leftovers(number);
    } catch (error) {
      fault(`round ${number}: ${(error as Error).message}`);
      break;
    } finally {
      if (faults > before) keepLogs(number);
    }
  }
} finally {
  stopAtOnce();
  if (faults === 0) rmSync(home, { recursive: true, force: true });
  else process.stdout.write(`kept: ${home}\n`);
}
process.stdout.write(`${files} files, ${faults} faults\n`);
process.exitCode = faults === 0 ? 0 : 1;
