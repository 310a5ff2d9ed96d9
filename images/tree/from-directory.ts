import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { byteString } from '../bytes/byte-string.js';
import { readableHostError } from '../bytes/host-error.js';
import type { Pace } from '../bytes/pace.js';
import { hostError } from '../diagnostic.js';
import { EMPTY_CONTENT } from './content.js';
import type { Attributes, LeafNode, TreeNode } from './node.js';
import { type Fidelity, Tree } from './tree.js';

/** A directory is read without extended attributes: Node has no call for them. */
export const DIRECTORY_FIDELITY: Fidelity = { nanoseconds: true, xattrs: false };

const SLASH = Buffer.from('/');

/**
 * Reads a directory of the host into a Tree. Names are bytes, links are not followed, mount points are entered;
 * contents stay where they are and are read when they are needed. Throws a DiagnosticError that names what can't be
 * read.
 */
export async function treeOfDirectory(path: string, pace: Pace): Promise<Tree> {
  const top = Buffer.from(path);
  const root = lstatOf(Buffer.concat([top, SLASH]));
  if (!root.isDirectory()) throw hostError('not a directory', undefined, { file: path });
  const rootNode = {
    ...attributesOfHost(root),
    type: 'directory' as const,
    entries: new Map<string, TreeNode>(),
  };
  const linked = new Map<string, LeafNode>();
  const pending = [{ path: top, entries: rootNode.entries }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of namesIn(next.path)) {
      if (pace.due()) await pace.breathe();
      const child = Buffer.concat([next.path, SLASH, name]);
      const status = lstatOf(child);
      if (status.isDirectory()) {
        const entries = new Map<string, TreeNode>();
        next.entries.set(byteString(name), { ...attributesOfHost(status), type: 'directory', entries });
        pending.push({ path: child, entries });
        continue;
      }
      const identity = `${status.dev}:${status.ino}`;
      const known = status.nlink > 1n ? linked.get(identity) : undefined;
      const node = known ?? leafOf(child, status);
      if (status.nlink > 1n) linked.set(identity, node);
      next.entries.set(byteString(name), node);
    }
  }
  return new Tree(rootNode, DIRECTORY_FIDELITY);
}

function lstatOf(path: Buffer): BigIntStats {
  try {
    return lstatSync(path, { bigint: true });
  } catch (cause) {
    throw readableHostError(cause, path.toString());
  }
}

function namesIn(path: Buffer): Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' });
  } catch (cause) {
    throw readableHostError(cause, path.toString());
  }
}

const NANOSECONDS = 1_000_000_000n;

function attributesOfHost(status: BigIntStats): Attributes {
  const nanoseconds = ((status.mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return {
    mode: Number(status.mode) & 0o7777,
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtime: {
      seconds: Number((status.mtimeNs - nanoseconds) / NANOSECONDS),
      nanoseconds: Number(nanoseconds),
    },
  };
}

function leafOf(path: Buffer, status: BigIntStats): LeafNode {
  const attributes = attributesOfHost(status);
  if (status.isSymbolicLink()) {
    try {
      const target = byteString(readlinkSync(path, { encoding: 'buffer' }));
      return { ...attributes, type: 'symlink', target };
    } catch (cause) {
      throw readableHostError(cause, path.toString());
    }
  }
  if (status.isFIFO()) return { ...attributes, type: 'fifo' };
  if (status.isSocket()) return { ...attributes, type: 'socket' };
  if (status.isBlockDevice() || status.isCharacterDevice()) {
    const type = status.isBlockDevice() ? 'block' : 'character';
    return { ...attributes, type, ...splitDevice(status.rdev) };
  }
  const size = Number(status.size);
  return {
    ...attributes,
    type: 'file',
    size,
    content: size === 0 ? EMPTY_CONTENT : { kind: 'host-file', path },
  };
}

/** Linux's encoding of a device number in stat(2): 12 and 20 bits, the upper halves apart. */
function splitDevice(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}
