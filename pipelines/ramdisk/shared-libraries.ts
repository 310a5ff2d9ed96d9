import { readBytes } from '../../images/bytes/byte-source.js';
import {
  type ByteString,
  byteString,
  byteStringFromText,
  textFromByteString,
} from '../../images/bytes/byte-string.js';
import { DiagnosticError, imageError } from '../../images/diagnostic.js';
import { type ElfFile, readElf } from '../../images/elf/dynamic.js';
import { isElf } from '../../images/elf/header.js';
import { openContent } from '../../images/tree/content-source.js';
import type { FileNode, LeafNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';
import { nameOf } from '../configure/small-file.js';
import { configuredFolders, defaultFolders, libNames } from './library-folders.js';

/** Something that a program needs and that the root has not. */
export interface MissingFile {
  readonly kind: 'program' | 'library' | 'interpreter';
  /** As it is named: a path, or the file name of a program or library. */
  readonly name: string;
  /** Path of what needs it; undefined for a program that was asked for. */
  readonly neededBy?: string;
  /** Why what has the name will not do; undefined where nothing has it. */
  readonly reason?: string;
}

export interface FoundProgram {
  /** Where it was found: links on the way are not replaced, as a program may go by the name it is called. */
  readonly path: ByteString;
  /** The file that it is. */
  readonly node: FileNode;
}

export interface ProgramFiles {
  /** Files and the symbolic links that lead to them, by real path, sorted. */
  readonly entries: ReadonlyMap<ByteString, LeafNode>;
  /** The programs that are there, by the name they were asked for. */
  readonly programs: ReadonlyMap<string, FoundProgram>;
  /** Folders of libraries that the loader has to be told of (`LD_LIBRARY_PATH`) where there is no cache of them. */
  readonly extraFolders: readonly ByteString[];
  /** Everything that is not there. */
  readonly missing: readonly MissingFile[];
}

/** Where programs are looked for that are named without a slash. */
const PROGRAM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];
/** Linux reads so much of a script to find its interpreter. */
const SHEBANG_BYTES = 256;
/** Linux follows so many scripts that interpret each other. */
const SCRIPTS_MAX = 5;
/** A thousand times what a handful of programs takes: libraries of a hostile root could need each other without end. */
const LOOKUPS_MAX = 1_000_000;

/**
 * Gathers programs of a root with all they need to run: the loader, shared libraries and those they need, interpreters
 * of scripts. Everything is looked up inside the root as its own ld.so would (RPATH, RUNPATH, `$ORIGIN`,
 * `/etc/ld.so.conf`, the loader's own folders), links are followed inside it, and nothing of the host is looked at.
 * Libraries that are only loaded while a program runs (dlopen) are unknown: name them as if they were programs.
 *
 * Programs are names or absolute paths. What is missing comes back as a list.
 */
export function programFiles(tree: Tree, programs: readonly string[]): ProgramFiles {
  const gathering = new Gathering(tree);
  for (const program of programs) gathering.program(program);
  return gathering.result();
}

/** An ELF file that is loaded, and what loaded it. */
interface LoadedObject {
  readonly path: ByteString;
  readonly elf: ElfFile;
  readonly loader?: LoadedObject;
}

class Gathering {
  private readonly entries = new Map<ByteString, LeafNode>();
  private readonly programs = new Map<string, FoundProgram>();
  private readonly extraFolders = new Set<ByteString>();
  private readonly missing = new Map<string, MissingFile>();
  private readonly elfFiles = new Map<ByteString, ElfFile | string | undefined>();
  private readonly configured: readonly ByteString[];
  private lookups = 0;

  constructor(private readonly tree: Tree) {
    this.configured = configuredFolders(tree);
  }

  result(): ProgramFiles {
    const byPath = [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      entries: new Map(byPath),
      programs: this.programs,
      extraFolders: [...this.extraFolders],
      missing: [...this.missing.values()],
    };
  }

  program(name: string): void {
    const found = this.findProgram(byteStringFromText(name));
    if (found === undefined) {
      this.miss({ kind: 'program', name });
      return;
    }
    this.programs.set(name, found);
    this.runnable(found.path, { kind: 'program', name }, SCRIPTS_MAX);
  }

  private findProgram(name: ByteString): FoundProgram | undefined {
    const candidates = name.includes('/') ? [name] : PROGRAM_FOLDERS.map((folder) => `${folder}/${name}`);
    for (const path of candidates) {
      const file = this.find(path);
      if (file !== undefined) return { path, node: file.node };
    }
    return undefined;
  }

  /** The file that a path leads to. */
  private find(path: ByteString): { path: ByteString; node: FileNode } | undefined {
    const place = findPlace(this.tree.root, path, true);
    return place.kind === 'found' && place.node.type === 'file'
      ? { path: place.path, node: place.node }
      : undefined;
  }

  /** Takes the file that a path leads to, with the links on the way. */
  private take(path: ByteString): { path: ByteString; node: FileNode } | undefined {
    const links: [ByteString, LeafNode][] = [];
    const place = findPlace(this.tree.root, path, true, (at, link) => links.push([at, link]));
    if (place.kind !== 'found' || place.node.type !== 'file') return undefined;
    for (const [at, link] of links) this.entries.set(at, link);
    this.entries.set(place.path, place.node);
    return { path: place.path, node: place.node };
  }

  /** Takes a program, its interpreter and its libraries. */
  private runnable(path: ByteString, asked: MissingFile, scriptsLeft: number): void {
    const file = this.take(path);
    if (file === undefined) {
      const place = findPlace(this.tree.root, path, true);
      this.miss(place.kind === 'found' ? { ...asked, reason: `it is a ${nameOf(place.node)}` } : asked);
      return;
    }
    const interpreter = this.shebangOf(file);
    if (interpreter !== undefined) {
      this.script(file.path, interpreter, scriptsLeft);
      return;
    }
    const elf = this.elfOf(file);
    if (elf === undefined) this.miss({ ...asked, reason: 'it is neither a script nor an ELF program' });
    else if (typeof elf === 'string') this.miss({ ...asked, reason: elf });
    else this.libraries({ path: file.path, elf });
  }

  private script(path: ByteString, words: readonly ByteString[], scriptsLeft: number): void {
    const [interpreter = '', argument] = words;
    const neededBy = textFromByteString(path);
    const asked = { kind: 'interpreter', name: textFromByteString(interpreter), neededBy } as const;
    if (scriptsLeft === 0) {
      this.miss({ ...asked, reason: `more than ${SCRIPTS_MAX} scripts interpret each other` });
      return;
    }
    this.runnable(interpreter, asked, scriptsLeft - 1);
    if (!/(^|\/)env$/.test(interpreter) || argument === undefined) return;
    // env looks for it on the PATH.
    const name = textFromByteString(argument);
    const found = this.findProgram(argument);
    if (found === undefined) this.miss({ ...asked, name });
    else this.runnable(found.path, { ...asked, name }, scriptsLeft - 1);
  }

  /** The words behind `#!`: the interpreter and the first of its arguments; undefined where the file is no script. */
  private shebangOf({ path, node }: { path: ByteString; node: FileNode }): ByteString[] | undefined {
    const source = openContent(node, textFromByteString(path));
    try {
      const start = byteString(readBytes(source, 0, Math.min(SHEBANG_BYTES, source.size)));
      if (!start.startsWith('#!')) return undefined;
      const words = (start.slice(2).split('\n')[0] ?? '').split(/[ \t]+/).filter((word) => word !== '');
      return words.slice(0, 2);
    } finally {
      source.close();
    }
  }

  /** What an ELF file says; what is wrong with it as text; undefined for any other file. */
  private elfOf({ path, node }: { path: ByteString; node: FileNode }): ElfFile | string | undefined {
    if (this.elfFiles.has(path)) return this.elfFiles.get(path);
    const source = openContent(node, textFromByteString(path));
    let elf: ElfFile | string | undefined;
    try {
      elf = isElf(source) ? readElf(source) : undefined;
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      elf = error.diagnostics[0]?.message ?? error.message;
    } finally {
      source.close();
    }
    this.elfFiles.set(path, elf);
    return elf;
  }

  /** Loads a program as ld.so does: breadth first, each name once. */
  private libraries(program: LoadedObject): void {
    const { interpreter } = program.elf;
    if (interpreter !== undefined && this.take(interpreter) === undefined) {
      const neededBy = textFromByteString(program.path);
      this.miss({ kind: 'interpreter', name: textFromByteString(interpreter), neededBy });
    }
    const loaded = new Set<ByteString>();
    const pending: LoadedObject[] = [program];
    // The list grows while it is walked.
    for (const object of pending) {
      for (const name of object.elf.needed) {
        if (loaded.has(name)) continue;
        loaded.add(name);
        const library = this.library(name, object);
        if (library === undefined) continue;
        if (library.elf.soname !== undefined) loaded.add(library.elf.soname);
        pending.push(library);
      }
    }
  }

  /** Finds a library that an object names, and takes it. */
  private library(name: ByteString, object: LoadedObject): LoadedObject | undefined {
    const asked: MissingFile = {
      kind: 'library',
      name: textFromByteString(name),
      neededBy: textFromByteString(object.path),
    };
    let reason: string | undefined;
    for (const { path, isKnown } of this.candidates(name, object)) {
      this.countLookup(object.path);
      const file = this.find(path);
      if (file === undefined) continue;
      const elf = this.elfOf(file);
      if (elf === undefined || typeof elf === 'string') {
        reason ??= `${textFromByteString(path)}: ${elf ?? 'no ELF file'}`;
        continue;
      }
      if (!fits(elf, object.elf)) {
        reason ??= `${textFromByteString(path)} is for another processor`;
        continue;
      }
      this.take(path);
      if (!isKnown) this.extraFolders.add(path.slice(0, path.lastIndexOf('/')));
      return { path, elf, loader: object };
    }
    this.miss({ ...asked, ...(reason === undefined ? {} : { reason }) });
    return undefined;
  }

  /** Where ld.so looks for a library, in its order; `isKnown` says whether it does so without its configuration. */
  private *candidates(
    name: ByteString,
    object: LoadedObject,
  ): Generator<{ path: ByteString; isKnown: boolean }> {
    if (name.includes('/')) {
      yield { path: name.startsWith('/') ? name : `/${name}`, isKnown: true };
      return;
    }
    for (const folder of [...rpathOf(object), ...expanded(object, object.elf.runpath)]) {
      yield { path: `${folder}/${name}`, isKnown: true };
    }
    const standard = defaultFolders(object.elf.header);
    for (const folder of this.configured)
      yield { path: `${folder}/${name}`, isKnown: standard.includes(folder) };
    for (const folder of standard) yield { path: `${folder}/${name}`, isKnown: true };
  }

  private countLookup(path: ByteString): void {
    this.lookups += 1;
    if (this.lookups <= LOOKUPS_MAX) return;
    throw imageError(
      { path: textFromByteString(path) },
      `its libraries are not found in ${LOOKUPS_MAX} attempts: they need too many others`,
      'Install its package again.',
    );
  }

  private miss(missing: MissingFile): void {
    const key = JSON.stringify([missing.kind, missing.name]);
    if (!this.missing.has(key)) this.missing.set(key, missing);
  }
}

function fits(library: ElfFile, program: ElfFile): boolean {
  return library.header.is64 === program.header.is64 && library.header.machine === program.header.machine;
}

/** RPATHs of an object and of what loaded it; none where the object has a RUNPATH. */
function rpathOf(object: LoadedObject): ByteString[] {
  const folders: ByteString[] = [];
  if (object.elf.runpath.length > 0) return folders;
  for (let next: LoadedObject | undefined = object; next !== undefined; next = next.loader) {
    if (next.elf.runpath.length === 0) folders.push(...expanded(next, next.elf.rpath));
  }
  return folders;
}

/** Folders with `$ORIGIN` and `$LIB` replaced; a relative one is meant from `/`, where init runs. */
function expanded({ path, elf }: LoadedObject, folders: readonly ByteString[]): ByteString[] {
  const origin = path.slice(0, path.lastIndexOf('/')) || '/';
  return folders
    .filter((folder) => folder !== '')
    .flatMap((folder) => {
      const here = folder.replace(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => origin);
      const names = /\$(?:LIB\b|\{LIB\})/.test(here) ? libNames(elf.header) : [''];
      return names.map((name) => here.replace(/\$(?:LIB\b|\{LIB\})/g, () => name));
    })
    .map((folder) => (folder.startsWith('/') ? folder : `/${folder}`));
}
