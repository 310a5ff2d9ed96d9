import type { ByteString } from '../bytes/byte-string.js';
import type { Content } from './content.js';

/** A point in time: seconds since 1970 (negative before), and nanoseconds 0..999,999,999 where the source has them. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What every kind of file has. */
export interface Attributes {
  /** Permission bits with setuid, setgid and sticky: 0..0o7777. Never the file type. */
  readonly mode: number;
  /** Owner, 0..2^32-1. */
  readonly uid: number;
  /** Group, 0..2^32-1. */
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Extended attributes by full name (`user.x`, `security.capability`, `system.posix_acl_access`). */
  readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>;
}

export interface FileNode extends Attributes {
  readonly type: 'file';
  /** Length in bytes. */
  readonly size: number;
  readonly content: Content;
}

export interface DirectoryNode extends Attributes {
  readonly type: 'directory';
  /** Children by name; the same node under several names is one file with hard links. */
  readonly entries: ReadonlyMap<ByteString, TreeNode>;
}

export interface SymlinkNode extends Attributes {
  readonly type: 'symlink';
  readonly target: ByteString;
}

export interface DeviceNode extends Attributes {
  readonly type: 'block' | 'character';
  readonly major: number;
  readonly minor: number;
}

export interface FifoNode extends Attributes {
  readonly type: 'fifo';
}

export interface SocketNode extends Attributes {
  readonly type: 'socket';
}

export type SpecialNode = FifoNode | SocketNode;

export type LeafNode = FileNode | SymlinkNode | DeviceNode | SpecialNode;
export type TreeNode = LeafNode | DirectoryNode;
export type NodeType = TreeNode['type'];

/** Length of a node's content in bytes: a file's data or a link's target; 0 for everything else. */
export function sizeOf(node: TreeNode): number {
  if (node.type === 'file') return node.size;
  return node.type === 'symlink' ? node.target.length : 0;
}
