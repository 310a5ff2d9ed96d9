import { type ByteString, byteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { readContent } from '../../images/tree/content.js';
import type { Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';
import { nameOf } from '../configure/small-file.js';

/** Ten times the list of a distribution with all its modules. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Which modules a module needs, as depmod wrote it to `modules.dep`: paths below the folder of the kernel's version.
 * Undefined when there is no such list. Linux 2.4 has absolute paths, and goes on in the next line after a backslash;
 * the paths may be those of another place where the root was when depmod ran.
 */
export function readModulesDep(
  tree: Tree,
  folder: ByteString,
): ReadonlyMap<ByteString, readonly ByteString[]> | undefined {
  const text = readList(tree, `${folder}/modules.dep`);
  if (text === undefined) return undefined;
  const needs = new Map<ByteString, readonly ByteString[]>();
  for (const line of text.replace(/\\\r?\n/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    const module = line.slice(0, colon).trim();
    if (colon < 0 || module === '' || module.startsWith('#')) continue;
    const needed = line.slice(colon + 1).split(/\s+/);
    needs.set(
      relativeTo(folder, module),
      needed.filter((path) => path !== '').map((path) => relativeTo(folder, path)),
    );
  }
  return needs;
}

/** Modules that are part of the kernel itself, as `modules.builtin` lists them; none where there is no list. */
export function readBuiltInModules(tree: Tree, folder: ByteString): readonly ByteString[] {
  const text = readList(tree, `${folder}/modules.builtin`) ?? '';
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function readList(tree: Tree, path: ByteString): ByteString | undefined {
  const place = findPlace(tree.root, path, true);
  if (place.kind !== 'found') return undefined;
  const location = { path: textFromByteString(place.path) };
  if (place.node.type !== 'file')
    throw imageError(location, `a ${nameOf(place.node)} where a list of modules should be`);
  if (place.node.size > LIST_BYTES_MAX) {
    throw imageError(
      location,
      `${place.node.size} bytes are too many for a list of modules (at most ${LIST_BYTES_MAX})`,
      'Run depmod again.',
    );
  }
  return byteString(readContent(place.node.content, place.node.size));
}

/** A path below the folder of the version; one that is somewhere else stays as it is. */
function relativeTo(folder: ByteString, path: ByteString): ByteString {
  if (!path.startsWith('/')) return path;
  if (path.startsWith(`${folder}/`)) return path.slice(folder.length + 1);
  const version = folder.slice(folder.lastIndexOf('/') + 1);
  const place = path.indexOf(`/${version}/`);
  return place < 0 ? path : path.slice(place + version.length + 2);
}
