import { type ByteString, byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { DirectoryNode, TreeNode } from '../../images/tree/node.js';
import { joinPath, sortedNames, Tree } from '../../images/tree/tree.js';
import { ownedCopy } from './files.js';
import { findPlace, reasonOf } from './place.js';
import type { ReportLine } from './report.js';
import { RootEditor } from './root-editor.js';
import { nameOf } from './small-file.js';

const MODULES = '/lib/modules';
/** Every kernel's release begins with a number; `lib` and `kernel`, a level too high or too low, do not. */
const VERSION = /^\d/;
/** A module of any kernel, compressed or not; or the list that depmod makes of them. */
const MODULE_FILE = /\.k?o(?:\.(?:gz|xz|zst|bz2))?$/;
const DEPENDENCIES = /^modules\.dep(?:\.bin)?$/;

export interface ModulesOptions {
  /** Time of what is made or changed: seconds since 1970. */
  readonly epoch: number;
  /**
   * The folder comes from this host, where it has the user's owner and the times of a checkout or a build: everything
   * in it becomes root's and gets the epoch. Otherwise owners and times stay as they are, as with `cp -a`.
   */
  readonly fromHost: boolean;
}

/**
 * A folder of a Tree as a Tree of its own: HOWTO 5.5 takes `/lib/modules` out of an old root image. Symbolic links on
 * the way are followed inside the Tree. Throws a DiagnosticError when there is no such folder.
 */
export function subtreeOf(tree: Tree, path: string): Tree {
  const place = findPlace(tree.root, byteStringFromText(path), true);
  if (place.kind === 'found' && place.node.type === 'directory') return new Tree(place.node, tree.fidelity);
  const reason =
    place.kind === 'found'
      ? `a ${nameOf(place.node)}, and a folder is needed`
      : place.kind === 'absent'
        ? 'no such folder'
        : reasonOf(place);
  throw imageError({ path }, reason, 'List the folder above it with "ssi-image ls".');
}

/**
 * HOWTO 5.5: lays a folder of kernel modules over `/lib/modules`. A version that is in both is replaced wholly, as a
 * mixture of two builds would not load; versions of the root alone stay. Throws a DiagnosticError when the folder has
 * no version with modules in it.
 */
export function installModules(
  tree: Tree,
  modules: Tree,
  options: ModulesOptions,
): { tree: Tree; report: readonly ReportLine[] } {
  const versions = sortedNames(modules.root).filter(
    (name) => VERSION.test(name) && hasModules(modules.root.entries.get(name)),
  );
  if (versions.length === 0) throw noModules(modules.root);
  const root = new RootEditor(tree, options.epoch);
  const source = options.fromHost
    ? ownedCopy(modules.root, { uid: 0, gid: 0, mtime: root.mtime })
    : modules.root;
  const folder = modulesFolder(root);
  for (const [name, node] of sortedEntries(source)) {
    const path = joinPath(folder, name);
    const place = root.find(path);
    const detail = versions.includes(name) ? 'version' : nameOf(node);
    // A recipe may name the root's own folder: what is there already is not touched.
    if (place.kind === 'found' && place.node === node) {
      root.note('modules', path, 'already done', { detail });
      continue;
    }
    root.put(path, node);
    root.note('modules', path, place.kind === 'found' ? 'replaced' : 'added', { detail });
  }
  const fidelity = {
    nanoseconds: tree.fidelity.nanoseconds && modules.fidelity.nanoseconds,
    xattrs: tree.fidelity.xattrs && modules.fidelity.xattrs,
  };
  return { tree: root.build(fidelity), report: root.report };
}

function sortedEntries(node: TreeNode): [ByteString, TreeNode][] {
  if (node.type !== 'directory') return [];
  return [...node.entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The real path of the root's folder for modules, made if it is missing. */
function modulesFolder(root: RootEditor): ByteString {
  const place = root.find(MODULES, true);
  if (place.kind === 'absent') root.makeDirectories(place.path);
  if (place.kind === 'absent' || (place.kind === 'found' && place.node.type === 'directory'))
    return place.path;
  throw imageError(
    { path: MODULES },
    `the modules can't be installed: ${place.kind === 'found' ? `a ${nameOf(place.node)} is there` : reasonOf(place)}`,
    'Remove it from the base.',
  );
}

/** Whether a node is a directory with modules, or a list of modules, somewhere in it. */
function hasModules(node: TreeNode | undefined): boolean {
  if (node?.type !== 'directory') return false;
  const pending = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [name, child] of next.entries) {
      if (child.type === 'directory') pending.push(child);
      else if (MODULE_FILE.test(name) || DEPENDENCIES.test(name)) return true;
    }
  }
  return false;
}

function noModules(folder: DirectoryNode) {
  const names = sortedNames(folder).slice(0, 5).map(textFromByteString);
  const inside = names.length === 0 ? 'it is empty' : `in it: ${names.join(', ')}`;
  return imageError(
    {},
    `no kernel version with modules in the folder for ${MODULES} (${inside})`,
    hintFor(folder),
  );
}

/** What is probably meant: people name a folder too high or too low. */
function hintFor(folder: DirectoryNode): string {
  for (const path of [MODULES, '/usr/lib/modules', '/modules']) {
    const place = findPlace(folder, path, true);
    if (place.kind === 'found' && place.node.type === 'directory') {
      return `It has a folder ${path.slice(1)}: name that one.`;
    }
  }
  if (folder.entries.has('kernel') || [...folder.entries.keys()].some((name) => DEPENDENCIES.test(name))) {
    return 'It looks like the folder of one version: name the folder above it.';
  }
  return 'Name a folder whose subfolders are kernel versions, such as 2.4.16-21um.';
}
