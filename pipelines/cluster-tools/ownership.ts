import { type BigIntStats, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import { hostError } from '../../images/diagnostic.js';
import type { NodeType, TreeNode } from '../../images/tree/node.js';

/**
 * How owners, devices and setuid bits come about in the staging root:
 * - `fakeroot`: as fakeroot remembers them. On the disk everything belongs to whoever runs this.
 * - `root`: really, as this is root and fakeroot is not there.
 * - `mapped`: not at all; what this user makes counts as root's, and other owners or devices can't be made.
 */
export type Ownership = 'fakeroot' | 'root' | 'mapped';

/** What a file of the staging root is to the rule that made it. */
export interface SeenAttributes {
  readonly type: NodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly major: number;
  readonly minor: number;
}

/** A file's identity on the host. An inode number is used again soon; with the time of its making it is not. */
export function identityOf(status: BigIntStats): string {
  return `${status.dev}:${status.ino}:${status.birthtimeNs}`;
}

const types: Readonly<Record<NodeType, number>> = {
  fifo: 0o01,
  character: 0o02,
  directory: 0o04,
  block: 0o06,
  file: 0o10,
  symlink: 0o12,
  socket: 0o14,
};
const typeOfNumber = new Map(Object.entries(types).map(([name, number]) => [number, name as NodeType]));
const TYPE_SHIFT = 12;
/** Types that fakeroot can only pretend: there is an ordinary file on the disk. */
const PRETENDED: readonly NodeType[] = ['character', 'block', 'fifo', 'socket'];

/** A line for fakeroot's `-i` file: what the file with this status shall appear to be. */
export function fakerootLine(status: BigIntStats, node: TreeNode): string {
  const mode = ((types[node.type] << TYPE_SHIFT) | node.mode).toString(8);
  const device = 'major' in node ? joinDevice(node.major, node.minor) : 0;
  const { dev, ino } = status;
  return `dev=${dev.toString(16)},ino=${ino},mode=${mode},uid=${node.uid},gid=${node.gid},nlink=1,rdev=${device}\n`;
}

export function writeFakerootState(path: string, lines: readonly string[]): void {
  try {
    writeFileSync(path, lines.join(''), { flag: 'wx', mode: 0o644 });
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** What fakeroot remembers about a file. */
interface Remembered {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: bigint;
}

/** A hostile rule may write anything into it: it is not read beyond this. */
const STATE_BYTES_MAX = 256 * 1024 * 1024;
const stateLine = /^dev=([0-9a-f]{1,16}),ino=(\d{1,20}),mode=([0-7]{1,7}),uid=(\d{1,10}),gid=(\d{1,10}),/;

/** Reads what fakeroot saved with `-s`. Throws a DiagnosticError when the file is missing or too large. */
function readFakerootState(path: string): Map<string, Remembered> {
  const remembered = new Map<string, Remembered>();
  for (const line of stateText(path).split('\n')) {
    const [, dev, ino, mode, uid, gid] = stateLine.exec(line) ?? [];
    if (dev === undefined || ino === undefined) continue;
    const device = BigInt(/,rdev=(\d{1,20})$/.exec(line)?.[1] ?? 0);
    const entry = { mode: Number.parseInt(mode ?? '0', 8), uid: idOf(uid), gid: idOf(gid), device };
    remembered.set(`${BigInt(`0x${dev}`)}:${BigInt(ino)}`, entry);
  }
  return remembered;
}

function stateText(path: string): string {
  try {
    // A rule could put a pipe here, whose reading never ends.
    const status = lstatSync(path);
    if (status.isFile() && status.size <= STATE_BYTES_MAX) return readFileSync(path, 'latin1');
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  throw hostError(
    'this is not what fakeroot saves: the make rule has meddled with it',
    'Look at what the rule does.',
    { file: path },
  );
}

function idOf(text: string | undefined): number {
  return Number(text ?? 0) >>> 0;
}

/** What was laid out as a file of the staging root. */
export interface Origin {
  readonly node: TreeNode;
  /** Mode on the disk, with the type. */
  readonly modeOnDisk: bigint;
}

/** How an entry of the staging root looks to the rule; `origin` is what was laid out as this very file, if any. */
export type View = (status: BigIntStats, origin: Origin | undefined) => SeenAttributes;

/** How files look under an ownership. `state` is what fakeroot saved. */
export function viewOf(ownership: Ownership, state: string): View {
  if (ownership === 'fakeroot') {
    const remembered = readFakerootState(state);
    return (status) => asRemembered(status, remembered.get(`${status.dev}:${status.ino}`));
  }
  return (status, origin) => {
    const real = realAttributes(status);
    const { uid, gid } = ownership === 'root' ? real : (origin?.node ?? { uid: 0, gid: 0 });
    // Not every mode of an image can be set: that of a symbolic link, for one.
    const mode = origin?.modeOnDisk === status.mode ? origin.node.mode : real.mode;
    return { ...real, uid, gid, mode };
  };
}

function asRemembered(status: BigIntStats, known: Remembered | undefined): SeenAttributes {
  const real = realAttributes(status);
  // What fakeroot never heard of belongs to root.
  if (known === undefined) return { ...real, uid: 0, gid: 0 };
  const type = typeOfNumber.get(known.mode >> TYPE_SHIFT);
  const isPretended = real.type === 'file' && type !== undefined && PRETENDED.includes(type);
  return {
    type: isPretended ? type : real.type,
    mode: known.mode & 0o7777,
    uid: known.uid,
    gid: known.gid,
    ...splitDevice(isPretended ? known.device : status.rdev),
  };
}

function realAttributes(status: BigIntStats): SeenAttributes {
  return {
    type: typeOfNumber.get(Number(status.mode) >> TYPE_SHIFT) ?? 'file',
    mode: Number(status.mode) & 0o7777,
    uid: Number(status.uid),
    gid: Number(status.gid),
    ...splitDevice(status.rdev),
  };
}

/** Linux's encoding of a device number in stat(2): 12 and 20 bits, the upper halves apart. */
function splitDevice(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

function joinDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffn) << 8n) | ((high & 0xfffff000n) << 32n) | (low & 0xffn) | ((low & 0xffffff00n) << 12n)
  );
}
