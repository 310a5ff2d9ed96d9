import { type ByteString, byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { type DiagnosticError, imageError } from '../../images/diagnostic.js';
import { nearestWord } from '../../images/suggestion.js';
import type { DirectoryNode, FileNode } from '../../images/tree/node.js';
import { joinPath, sortedNames, type Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';
import { readBuiltInModules, readModulesDep } from './modules-dep.js';

/** A module's file in a root. */
export interface KernelModule {
  /** The name it has when it is loaded: `_` for each `-`. */
  readonly name: string;
  /** Real path of its file. */
  readonly path: ByteString;
  readonly node: FileNode;
}

export interface MissingModule {
  /** As it was asked for, or as `modules.dep` names it. */
  readonly name: string;
  /** The module that needs it. */
  readonly neededBy?: string;
  /** A module of the kernel with a name like it. */
  readonly nearest?: string;
}

export interface ResolvedModules {
  /** In the order to load them: what a module needs comes before it. */
  readonly modules: readonly KernelModule[];
  /** Of those asked for, the ones that are part of the kernel and need no loading. */
  readonly builtIn: readonly string[];
  /** Modules that `modules.dep` does not list: nothing is known of what they need. */
  readonly unlisted: readonly string[];
  readonly missing: readonly MissingModule[];
}

/** Names of modules' files: of Linux 2.4 and before, and of later ones, compressed or not. */
const MODULE_FILE = /^(.+)\.(?:o|ko(?:\.(?:gz|xz|zst|bz2))?)$/s;

/** Linux itself has some 6,000. */
const MODULES_MAX = 200_000;

/** The name under which Linux knows the module in a file; undefined for any other file. */
export function moduleNameOf(path: ByteString): string | undefined {
  const [, name] = MODULE_FILE.exec(path.slice(path.lastIndexOf('/') + 1)) ?? [];
  return name === undefined ? undefined : normalized(textFromByteString(name));
}

function normalized(name: string): string {
  return name.replaceAll('-', '_');
}

/**
 * Finds modules of a kernel by name, with all they need. `folder` is that of its version, such as
 * `/lib/modules/2.4.16-21um`. Modules without an entry in `modules.dep` (installed after depmod ran) are taken in the
 * order they are asked for. What is missing comes back as a list.
 *
 * Throws a DiagnosticError when the folder is not there, or modules need each other in a circle.
 */
export function resolveModules(tree: Tree, folder: string, names: readonly string[]): ResolvedModules {
  const { path, node } = folderOf(tree, folder);
  return new Resolver(tree, path, node).resolve(names);
}

function folderOf(tree: Tree, folder: string): { path: ByteString; node: DirectoryNode } {
  const place = findPlace(tree.root, byteStringFromText(folder), true);
  if (place.kind === 'found' && place.node.type === 'directory')
    return { path: place.path, node: place.node };
  throw imageError(
    { path: folder },
    'there are no modules of this kernel version in the root',
    versionsHint(tree, folder.slice(0, folder.lastIndexOf('/'))),
  );
}

function versionsHint(tree: Tree, parent: string): string {
  const place = findPlace(tree.root, byteStringFromText(parent), true);
  const versions = place.kind === 'found' && place.node.type === 'directory' ? sortedNames(place.node) : [];
  if (versions.length === 0) return `Install the kernel's modules: ${parent || '/'} has none.`;
  return `${parent} has ${versions.slice(0, 10).map(textFromByteString).join(', ')}.`;
}

interface Request {
  readonly module: KernelModule;
  readonly needs: readonly ByteString[];
  next: number;
}

class Resolver {
  /** Modules by name, from a walk of the folder. */
  private readonly files = new Map<string, KernelModule>();
  private readonly needs: ReadonlyMap<ByteString, readonly ByteString[]>;
  private readonly builtIns: ReadonlySet<string>;
  private readonly ordered = new Map<string, KernelModule>();
  private readonly missing = new Map<string, MissingModule>();
  private readonly unlisted = new Set<string>();

  constructor(
    tree: Tree,
    private readonly folder: ByteString,
    node: DirectoryNode,
  ) {
    this.needs = readModulesDep(tree, folder) ?? new Map();
    this.walk(node);
    const builtIns = readBuiltInModules(tree, folder).map(moduleNameOf);
    this.builtIns = new Set(builtIns.filter((name) => name !== undefined));
  }

  resolve(names: readonly string[]): ResolvedModules {
    const builtIn: string[] = [];
    for (const asked of names) {
      const name = normalized(asked.replace(/\.(?:o|ko)$/, ''));
      const module = this.files.get(name);
      if (module !== undefined) this.load(module);
      else if (this.builtIns.has(name)) builtIn.push(asked);
      else this.miss({ name: asked });
    }
    return {
      modules: [...this.ordered.values()],
      builtIn,
      unlisted: [...this.unlisted],
      missing: [...this.missing.values()],
    };
  }

  private walk(top: DirectoryNode): void {
    const pending = [{ path: this.folder, node: top }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const name of sortedNames(next.node)) {
        const child = next.node.entries.get(name);
        const path = joinPath(next.path, name);
        if (child?.type === 'directory') pending.push({ path, node: child });
        else if (child?.type === 'file') this.addFile(path, child);
      }
    }
  }

  /** Of several files with one name the one counts that depmod has taken. */
  private addFile(path: ByteString, node: FileNode): void {
    const name = moduleNameOf(path);
    if (name === undefined || this.files.size >= MODULES_MAX) return;
    if (!this.files.has(name) || this.needs.has(this.relative(path)))
      this.files.set(name, { name, path, node });
  }

  private relative(path: ByteString): ByteString {
    return path.slice(this.folder.length + 1);
  }

  /** Puts a module after all that it needs. Without recursion: a hostile list may go deeper than any stack. */
  private load(first: KernelModule): void {
    const underWay = new Set<string>();
    const stack: Request[] = [];
    const begin = (module: KernelModule): void => {
      if (this.ordered.has(module.name)) return;
      if (underWay.has(module.name)) throw this.circle(stack, module);
      underWay.add(module.name);
      stack.push({ module, needs: this.needsOf(module), next: 0 });
    };
    begin(first);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      // The last named is to be loaded first (modules.dep(5)).
      const path = top.needs[top.needs.length - 1 - top.next];
      top.next += 1;
      if (path === undefined) {
        stack.pop();
        this.ordered.set(top.module.name, top.module);
        continue;
      }
      const name = moduleNameOf(path);
      const module = name === undefined ? undefined : this.files.get(name);
      if (module !== undefined) begin(module);
      else if (name === undefined || !this.builtIns.has(name))
        this.miss({ name: name ?? textFromByteString(path), neededBy: top.module.name });
    }
  }

  private needsOf({ name, path }: KernelModule): readonly ByteString[] {
    const needs = this.needs.get(this.relative(path));
    if (needs === undefined) this.unlisted.add(name);
    return needs ?? [];
  }

  private miss(missing: MissingModule): void {
    if (this.missing.has(missing.name)) return;
    const nearest = nearestWord(normalized(missing.name), [...this.files.keys(), ...this.builtIns]);
    this.missing.set(missing.name, { ...missing, ...(nearest === undefined ? {} : { nearest }) });
  }

  private circle(stack: readonly Request[], module: KernelModule): DiagnosticError {
    const from = stack.findIndex((request) => request.module.name === module.name);
    const names = [...stack.slice(from).map((request) => request.module.name), module.name];
    return imageError(
      { path: `${textFromByteString(this.folder)}/modules.dep` },
      `modules need each other in a circle: ${names.slice(0, 10).join(', ')}`,
      'Run depmod again.',
    );
  }
}
