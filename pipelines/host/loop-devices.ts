import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostError } from '../../images/diagnostic.js';
import { hostCommand, hostOutput } from './host-command.js';
import type { FileIdentity } from './made.js';

/** A loop device in use. */
export interface LoopDevice {
  /** Such as `/dev/loop3`. */
  readonly name: string;
  /** Its own number, `MAJOR:MINOR`. */
  readonly number: string;
  /** The file that it shows; the inode stays the same when that is removed or gets another name. */
  readonly file: FileIdentity;
}

/** What `losetup --list --json` prints of a device. */
interface Listed {
  readonly name?: unknown;
  readonly 'maj:min'?: unknown;
  readonly 'back-ino'?: unknown;
  readonly 'back-maj:min'?: unknown;
}

/** All loop devices in use. Throws a DiagnosticError when the host doesn't tell. */
export async function loopDevices(): Promise<LoopDevice[]> {
  const columns = 'NAME,MAJ:MIN,BACK-INO,BACK-MAJ:MIN';
  const text = await hostOutput(['losetup', '--list', '--json', '--output', columns]);
  // Without any it prints nothing.
  if (text.trim() === '') return [];
  const { loopdevices = [] } = JSON.parse(text) as { loopdevices?: readonly Listed[] };
  return loopdevices.flatMap((listed) => {
    const name = textOf(listed.name);
    const path = backingFileOf(name);
    const file = { path, device: textOf(listed['back-maj:min']), inode: textOf(listed['back-ino']) };
    return path === '' ? [] : [{ name, number: textOf(listed['maj:min']), file }];
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? `${value}`.trim() : '';
}

/** The kernel's own word for the file: losetup's is escaped. */
function backingFileOf(name: string): string {
  const match = /^\/dev\/(loop\d+)$/.exec(name);
  if (match === null) return '';
  try {
    return readFileSync(`/sys/block/${match[1]}/loop/backing_file`, 'utf8').replace(/\n$/, '');
  } catch {
    // It was released just now.
    return '';
  }
}

/** Whether a loop device shows a file that was written down: by inode and by name, which may be gone by now. */
export function showsFile({ file }: LoopDevice, image: FileIdentity): boolean {
  return (
    file.inode === image.inode &&
    file.device === image.device &&
    (file.path === image.path || file.path === `${image.path} (deleted)`)
  );
}

/** Releases the loop devices over a file; those that others have stay. Returns their names. */
export async function releaseLoops(image: FileIdentity): Promise<string[]> {
  const own = (await loopDevices()).filter((device) => showsFile(device, image));
  for (const { name } of own) await hostOutput(['losetup', '--detach', name]);
  await awaitRelease(image);
  return own.map(({ name }) => name);
}

/** How long the kernel may take to let go of a loop device, in milliseconds. */
const RELEASE_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 100;

/**
 * Waits until no loop device shows a file any more. One that is detached while something still uses it goes only after
 * that: a mount that another namespace has copied, such as a container's, keeps it, and what was written may not all
 * be in the file yet. Throws a DiagnosticError when it stays.
 */
export async function awaitRelease(image: FileIdentity): Promise<void> {
  const end = performance.now() + RELEASE_MILLISECONDS;
  for (;;) {
    const left = (await loopDevices()).find((device) => showsFile(device, image));
    if (left === undefined) return;
    if (performance.now() > end) {
      throw hostError(
        `${left.name} still shows ${image.path}: something uses it, maybe in a container or a mount namespace of its own`,
        'End what uses it, then run "ssi-image doctor --clean".',
      );
    }
    await sleep(POLL_MILLISECONDS);
  }
}

/** Whether a loop device shows any file. */
export async function isLoopInUse(name: string): Promise<boolean> {
  return (await hostCommand(['losetup', name])).code === 0;
}

/** Why this host gives no loop devices; undefined when it does. */
export function loopFault(): string | undefined {
  return statSync('/dev/loop-control', { throwIfNoEntry: false }) === undefined
    ? 'there is no /dev/loop-control'
    : undefined;
}
