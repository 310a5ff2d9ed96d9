import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces, release, totalmem } from 'node:os';
import { systemErrorCode } from '../../images/bytes/host-error.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { hostCommand } from '../host/host-command.js';
import { leftovers } from '../host/host-lock.js';
import { loopFault } from '../host/loop-devices.js';
import { describeMade } from '../host/made.js';
import { mounts } from '../host/mounts.js';
import { findProgram } from '../program-folders.js';
import { type Finding, missing, ok, warning } from './finding.js';
import { existing, freeBytes, mebibytes, writingFault } from './space.js';
import { namespaceFault } from './user-range.js';

const MIB = 1024 ** 2;
/** What three nodes with their shared memory take at least. */
const MEMORY_LOW = 1024 * MIB;
const SHARED_MEMORY_LOW = 256 * MIB;
const DISK_LOW = 4096 * MIB;

/** Whether this process may mount: root of a container often may not. */
export function rootFinding(): Finding {
  const hint = 'Run it as root, or use --backend native.';
  if (process.getuid?.() !== 0)
    return missing('user', 'the host backend mounts filesystems: it needs root', hint);
  if (!hasCapability(CAP_SYS_ADMIN))
    return missing('user', 'this is root without the right to mount (CAP_SYS_ADMIN)', hint);
  if (!hasCapability(CAP_MKNOD))
    return missing('user', 'this is root without the right to make devices (CAP_MKNOD)', hint);
  // Root of a user namespace may mount what is its own, and no disk.
  if (!/^\s*0\s+0\s+4294967295\s*$/.test(readText('/proc/self/uid_map')))
    return missing('user', 'this is root of a user namespace, which mounts no disks', hint);
  return ok('user', 'this is root');
}

/** capabilities(7) */
const CAP_SYS_ADMIN = 21n;
const CAP_MKNOD = 27n;

function hasCapability(number: bigint): boolean {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText('/proc/self/status'));
  return match !== null && ((BigInt(`0x${match[1]}`) >> number) & 1n) === 1n;
}

/** Whether a loop device can be had: asked of the kernel, and opened, without taking it. */
export async function loopFinding(): Promise<Finding> {
  const hint = 'Load the module loop (modprobe loop); a container needs the devices handed in.';
  const fault = loopFault();
  if (fault !== undefined) return missing('loop devices', fault, hint);
  if (findProgram('losetup') === undefined)
    return missing('loop devices', 'the program losetup is missing', 'Install it (Debian package mount).');
  try {
    accessSync('/dev/loop-control', constants.R_OK | constants.W_OK);
  } catch {
    return missing('loop devices', 'this user may not open /dev/loop-control', 'Run it as root.');
  }
  const { code, output } = await hostCommand(['losetup', '--find']);
  if (code === 0) {
    const fault = openingFault(output.trim());
    if (fault !== undefined) return missing('loop devices', fault, hint);
    return ok('loop devices', `${output.trim()} is free`);
  }
  return missing('loop devices', `no loop device can be had: ${output.trim().split('\n').at(-1)}`, hint);
}

/** A container may have the number of a loop device but not the device, or no right to it. */
function openingFault(device: string): string | undefined {
  try {
    closeSync(openSync(device, 'r+'));
    return undefined;
  } catch (cause) {
    return systemErrorCode(cause) === 'ENOENT'
      ? `${device} is free, but there is no such file`
      : `this user may not open ${device}`;
  }
}

/** Whether the kernel can mount a filesystem, now or with a module that is there. */
export function filesystemFinding(type: string): Finding {
  const hint =
    type === 'gfs'
      ? 'Build a kernel with the OpenGFS patches and load the module gfs (HOWTO 4.5), or use --backend native.'
      : `Boot a kernel with ${type}, or use --backend native.`;
  if (hasFilesystem(type)) return ok('kernel', `this host's kernel knows the filesystem ${type}`);
  return moduleOf(`fs-${type}`) || moduleOf(type)
    ? ok('kernel', `the module ${type} is there`)
    : missing(
        'kernel',
        `this host's kernel does not know the filesystem ${type}, and there is no module ${type}`,
        hint,
      );
}

function hasFilesystem(type: string): boolean {
  try {
    return readFileSync('/proc/filesystems', 'utf8')
      .split('\n')
      .some((line) => line.split('\t')[1] === type);
  } catch {
    return false;
  }
}

/** Whether `modprobe` would find a module: without trying to load it. */
function moduleOf(name: string): boolean {
  const modprobe = findProgram('modprobe');
  if (modprobe === undefined) return false;
  return spawnSync(modprobe, ['-n', '-q', '--', name], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/** What of this host matters whatever is built. */
export function hostFindings(cacheFolder: string): Finding[] {
  return [
    kernelFinding(),
    process.getuid?.() === 0
      ? ok('user', 'this is root')
      : ok('user', `an ordinary user (${process.getuid?.()})`),
    namespaceFinding(),
    sharedMemoryFinding(),
    memoryFinding(),
    diskFinding(cacheFolder),
    leftoverFinding(),
  ];
}

function kernelFinding(): Finding {
  return ok('kernel', `Linux ${release()} on ${process.arch}, Node.js ${process.version}`);
}

function namespaceFinding(): Finding {
  const fault = namespaceFault();
  return fault === undefined
    ? ok('user namespaces', 'this user may make them')
    : warning('user namespaces', fault, 'Ordinary users then make no Debian base.');
}

/** User-Mode Linux has its memory there, and runs code from it. */
function sharedMemoryFinding(): Finding {
  const topic = 'shared memory';
  const folder = '/dev/shm';
  if (!existsSync(folder))
    return warning(topic, 'there is no /dev/shm', 'Nodes need it: mount -t tmpfs tmpfs /dev/shm.');
  if (isNoexec(folder))
    return warning(
      topic,
      '/dev/shm is mounted noexec: nodes can not run code from it',
      'mount -o remount,exec /dev/shm, or set TMPDIR for the nodes.',
    );
  const fault = writingFault(folder);
  if (fault !== undefined) return warning(topic, fault, 'Set TMPDIR for the nodes.');
  const free = freeBytes(folder);
  const size = `/dev/shm has ${mebibytes(free)} free`;
  return free < SHARED_MEMORY_LOW ? warning(topic, `${size}: little for nodes`) : ok(topic, size);
}

function isNoexec(folder: string): boolean {
  try {
    const mount = mounts().findLast(({ target }) => target === folder);
    return mount?.options.includes('noexec') === true;
  } catch {
    // Without /proc nobody says.
    return false;
  }
}

/** The host's memory, or what a container is given of it. */
function memoryFinding(): Finding {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readText('/proc/meminfo'));
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const available = Math.min(match === null ? total : Number(match[1]) * 1024, process.availableMemory());
  const text = `${mebibytes(available)} of ${mebibytes(total)} are available`;
  return available < MEMORY_LOW ? warning('memory', `${text}: little for a cluster`) : ok('memory', text);
}

function diskFinding(folder: string): Finding {
  const there = existing(folder);
  const fault = writingFault(there);
  const hint = 'Choose another folder for the cache with --cache-dir or SSI_IMAGES_CACHE.';
  if (fault !== undefined) return warning('disk', `${fault}: the cache would go there`, hint);
  const free = freeBytes(there);
  const text = `${mebibytes(free)} are free for the cache in ${folder}`;
  return free < DISK_LOW
    ? warning('disk', text, 'A Red Hat root takes about 2 GiB while it is built.')
    : ok('disk', text);
}

function leftoverFinding(): Finding {
  const topic = 'left behind';
  const hint = 'Run "ssi-image doctor --clean" as root.';
  try {
    const left = leftovers();
    return left.length === 0
      ? ok(topic, 'nothing of a host build that was killed')
      : warning(topic, left.map(describeMade).join(', '), hint);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return warning(topic, 'host builds were here, and only root can see whether they left something', hint);
  }
}

/** HOWTO 4.5: two aliases, two devices that nobody uses, and the lock server. */
export function howtoFindings(addresses: readonly string[]): Finding[] {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
  return [
    ...addresses.map((address) =>
      own.has(address)
        ? ok('network', `this host has the address ${address}`)
        : warning(
            'network',
            `no interface of this host has the address ${address}`,
            `ip address add ${address}/24 dev eth0 (HOWTO 4.5)`,
          ),
    ),
    freeLoopNames(),
    findProgram('memexpd') === undefined
      ? warning(
          'lock server',
          'the program memexpd is missing',
          'Build and install the OpenGFS tools (HOWTO 4.5).',
        )
      : isRunning('memexpd')
        ? ok('lock server', 'memexpd runs')
        : warning('lock server', 'memexpd does not run', 'modprobe memexp; memexpd (HOWTO 4.5)'),
  ];
}

/** Device names for loop devices of the nodes: those that /proc/partitions does not have (HOWTO 4.5). */
function freeLoopNames(): Finding {
  const used = new Set(
    readText('/proc/partitions')
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[3]),
  );
  const free = ['hda', 'hdb', 'hdc', 'hdd', 'sda', 'sdb', 'sdc', 'sdd']
    .flatMap((disk) => [`${disk}1`, `${disk}2`])
    .filter((name) => !used.has(name) && !used.has(name.slice(0, 3)));
  return free.length >= 2
    ? ok('device names', `unused: ${free.slice(0, 4).join(', ')}`)
    : warning('device names', 'no two disk names are unused', 'See /proc/partitions (HOWTO 4.5).');
}

function isRunning(name: string): boolean {
  if (!existsSync('/proc')) return false;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .some((pid) => readText(`/proc/${pid}/comm`).trim() === name);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
