import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { componentsOf } from '../../images/tree/name.js';
import type { DirectoryNode, Timestamp, TreeNode } from '../../images/tree/node.js';
import { type Fidelity, joinPath, Tree } from '../../images/tree/tree.js';
import { findPlace, type Place } from './place.js';
import type { ReportLine } from './report.js';

interface OwnDirectory extends DirectoryNode {
  mtime: Timestamp;
  readonly entries: Map<ByteString, TreeNode>;
}

/**
 * A root that is being edited: a changed copy that shares with the Tree it came from whatever no edit touches, so an
 * edit costs the directories on its way and nothing else. Directories whose entries change get the time of the edit,
 * as they would on a mounted filesystem. Paths given to `put` and `remove` are real ones, from `find`.
 */
export class RootEditor {
  readonly report: ReportLine[] = [];
  /** Time of what is made or changed. */
  readonly mtime: Timestamp;
  private readonly root: OwnDirectory;
  /** Directories that are this editor's own and not the Tree's. */
  private readonly own = new Set<TreeNode>();

  /** `epoch` is in seconds since 1970. */
  constructor(
    private readonly tree: Tree,
    epoch: number,
  ) {
    this.mtime = { seconds: epoch, nanoseconds: 0 };
    this.root = this.copyOf(tree.root);
  }

  /** Where a path leads. Throws a DiagnosticError at a loop of symbolic links. */
  find(path: ByteString, followLast = false): Place {
    return findPlace(this.root, path, followLast);
  }

  /** Puts something at a real path whose parent is a directory; replaces whatever has that name. */
  put(path: ByteString, node: TreeNode): void {
    const { parent, name } = this.parentOf(path);
    parent.entries.set(name, node);
    parent.mtime = this.mtime;
  }

  /** Removes what has a real path, with everything below it. */
  remove(path: ByteString): void {
    const { parent, name } = this.parentOf(path);
    if (parent.entries.delete(name)) parent.mtime = this.mtime;
  }

  /** Makes the directories of a path that are not there yet, as root's with mode 0755. The path is a real one. */
  makeDirectories(path: ByteString): void {
    let here = '/';
    for (const name of componentsOf(path)) {
      here = joinPath(here, name);
      if (this.find(here).kind === 'absent') this.put(here, emptyDirectory(this.mtime));
    }
  }

  /** Adds a line to the report. */
  note(step: ReportLine['step'], path: ByteString, outcome: ReportLine['outcome'], more: Extra = {}): void {
    this.report.push({ step, path: textFromByteString(path), outcome, ...more });
  }

  /** The edited root. The editor must not be used after this. */
  build(fidelity: Fidelity = this.tree.fidelity): Tree {
    return new Tree(this.root, fidelity);
  }

  private parentOf(path: ByteString): { parent: OwnDirectory; name: ByteString } {
    const names = componentsOf(path);
    const name = names.pop();
    let parent = this.root;
    for (const step of names) parent = this.ownChild(parent, step, path);
    if (name === undefined)
      throw imageError({ path: '/' }, 'the root itself can be neither replaced nor removed');
    return { parent, name };
  }

  private ownChild(parent: OwnDirectory, name: ByteString, path: ByteString): OwnDirectory {
    const child = parent.entries.get(name);
    if (child?.type !== 'directory') {
      throw imageError(
        { path: textFromByteString(path) },
        'the directory that this belongs into is not there',
      );
    }
    if (this.own.has(child)) return child as OwnDirectory;
    const copy = this.copyOf(child);
    parent.entries.set(name, copy);
    return copy;
  }

  private copyOf(directory: DirectoryNode): OwnDirectory {
    const copy = { ...directory, entries: new Map(directory.entries) };
    this.own.add(copy);
    return copy;
  }
}

type Extra = Pick<ReportLine, 'line' | 'detail'>;

/** A directory of root's, as one makes it. */
export function emptyDirectory(mtime: Timestamp): DirectoryNode {
  return { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime, entries: new Map() };
}
