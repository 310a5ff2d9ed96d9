import { type ByteString, byteString } from '../../images/bytes/byte-string.js';
import type { ElfHeader } from '../../images/elf/header.js';
import { readContent } from '../../images/tree/content.js';
import { componentsOf } from '../../images/tree/name.js';
import { joinPath, sortedNames, type Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';
import { SMALL_FILE_BYTES_MAX } from '../configure/small-file.js';

/** Where Debian and its kin keep libraries of a processor: its numbers are ELF's (`e_machine`). */
const multiarchNames: ReadonlyMap<number, readonly string[]> = new Map([
  [3, ['i386-linux-gnu', 'i686-linux-gnu']],
  [21, ['powerpc64le-linux-gnu']],
  [40, ['arm-linux-gnueabihf', 'arm-linux-gnueabi']],
  [62, ['x86_64-linux-gnu']],
  [183, ['aarch64-linux-gnu']],
  [243, ['riscv64-linux-gnu']],
  [258, ['loongarch64-linux-gnu']],
]);

/** The loader's configuration, and what it may include: a hundred times what distributions have. */
const CONFIGURATION = '/etc/ld.so.conf';
const FILES_MAX = 1024;
const FOLDERS_MAX = 4096;

/** Names of the folder that `$LIB` in a path of an ELF file may stand for: the loader knows its own only. */
export function libNames({ is64, machine }: Pick<ElfHeader, 'is64' | 'machine'>): string[] {
  const multiarch = (multiarchNames.get(machine) ?? []).map((name) => `lib/${name}`);
  return [...multiarch, ...(is64 ? ['lib64'] : []), 'lib'];
}

/** Where the loader (ld.so(8)) looks in the end, without being told: the first that exists is its own. */
export function defaultFolders(header: Pick<ElfHeader, 'is64' | 'machine'>): ByteString[] {
  return libNames(header).flatMap((name) => [`/${name}`, `/usr/${name}`]);
}

/**
 * The folders that `/etc/ld.so.conf` of a root names, with the files it includes, in their order. What is not there,
 * or no file, is passed over, as ldconfig does.
 */
export function configuredFolders(tree: Tree): ByteString[] {
  const folders = new Set<ByteString>();
  const seen = new Set<ByteString>();
  const pending: ByteString[] = [CONFIGURATION];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const place = findPlace(tree.root, path, true);
    if (place.kind !== 'found' || place.node.type !== 'file' || seen.has(place.path)) continue;
    if (place.node.size > SMALL_FILE_BYTES_MAX || seen.size >= FILES_MAX) continue;
    seen.add(place.path);
    const included: ByteString[] = [];
    for (const line of byteString(readContent(place.node.content, place.node.size)).split('\n')) {
      const words = line
        .replace(/#.*/s, '')
        .split(/[\s,:]+/)
        .filter((word) => word !== '');
      if (words[0] === 'include') {
        for (const pattern of words.slice(1)) included.push(...matches(tree, absolute(pattern, path)));
      } else if (words[0] !== 'hwcap') {
        for (const word of words) {
          // `=TYPE` behind a folder is of the time of libc 5.
          const folder = `/${componentsOf(word.replace(/=.*/s, '')).join('/')}`;
          if (word.startsWith('/') && folders.size < FOLDERS_MAX) folders.add(folder);
        }
      }
    }
    pending.push(...included.reverse());
  }
  return [...folders];
}

/** Relative names are meant from the file that they stand in. */
function absolute(pattern: ByteString, file: ByteString): ByteString {
  return pattern.startsWith('/') ? pattern : `${file.slice(0, file.lastIndexOf('/') + 1)}${pattern}`;
}

/** The paths that a pattern of a shell stands for, sorted; `*` and `?` are known. */
function matches(tree: Tree, pattern: ByteString): ByteString[] {
  let paths: ByteString[] = ['/'];
  for (const part of componentsOf(pattern)) {
    if (!/[*?]/.test(part)) {
      paths = paths.map((path) => joinPath(path, part));
      continue;
    }
    const next: ByteString[] = [];
    for (const path of paths) {
      const place = findPlace(tree.root, path, true);
      if (place.kind !== 'found' || place.node.type !== 'directory') continue;
      for (const name of sortedNames(place.node)) {
        if (next.length < FILES_MAX && matchesPattern(name, part)) next.push(joinPath(path, name));
      }
    }
    paths = next;
  }
  return paths;
}

/** Takes no longer than the lengths multiplied, whatever the pattern: it never goes back by more than one star. */
function matchesPattern(name: ByteString, pattern: ByteString): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  let [at, place] = [0, 0];
  let [star, afterStar] = [-1, 0];
  while (at < name.length) {
    const letter = pattern[place];
    if (letter === '*') {
      star = place;
      afterStar = at;
      place += 1;
    } else if (letter === '?' || letter === name[at]) {
      at += 1;
      place += 1;
    } else if (star >= 0) {
      afterStar += 1;
      at = afterStar;
      place = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(place));
}
