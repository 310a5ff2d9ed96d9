import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { componentsOf, faultOfName, PATH_BYTES_MAX } from '../../images/tree/name.js';
import type { DirectoryNode, SymlinkNode, TreeNode } from '../../images/tree/node.js';
import { joinPath } from '../../images/tree/tree.js';

/** Where a path leads in a root. */
export type Place =
  | {
      readonly kind: 'found';
      /** Where it really is: absolute, without symbolic links before the last name. */
      readonly path: ByteString;
      readonly node: TreeNode;
    }
  | {
      readonly kind: 'absent';
      /** Where it would be: one or several of its last names are not there. */
      readonly path: ByteString;
    }
  | {
      /** A symbolic link on the way leads nowhere, or something on the way is no directory. */
      readonly kind: 'dangling' | 'obstructed';
      /** The link, or what is no directory. */
      readonly path: ByteString;
    };

/** How many symbolic links a path may lead through; Linux follows 40. */
const LINKS_MAX = 40;

interface Name {
  readonly name: ByteString;
  /** The symbolic link whose target has this name. */
  readonly link?: ByteString;
}

/**
 * Finds where a path leads, as for a process whose root directory this is: symbolic links are followed inside it, `..`
 * ends at it. The last name is followed only with `followLast`. `onLink` is told of each link that is followed, with
 * its real path. Throws a DiagnosticError at a loop of links.
 */
export function findPlace(
  root: DirectoryNode,
  path: ByteString,
  followLast = false,
  onLink?: (path: ByteString, link: SymlinkNode) => void,
): Place {
  const top = { path: '/', node: root };
  let chain: { readonly path: ByteString; readonly node: DirectoryNode }[] = [top];
  const pending: Name[] = componentsOf(path)
    .map((name) => ({ name }))
    .reverse();
  let links = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const directory = chain.at(-1)!;
    if (next.name === '..') {
      if (chain.length > 1) chain.pop();
      continue;
    }
    const here = joinPath(directory.path, next.name);
    const node = directory.node.entries.get(next.name);
    if (node === undefined) {
      if (next.link !== undefined) return { kind: 'dangling', path: next.link };
      return {
        kind: 'absent',
        path: pending.reduceRight((before, { name }) => joinPath(before, name), here),
      };
    }
    if (node.type === 'symlink' && (pending.length > 0 || followLast)) {
      links += 1;
      if (links > LINKS_MAX) {
        throw imageError(
          { path: textFromByteString(path) },
          `more than ${LINKS_MAX} symbolic links on the way`,
          'The links lead in a circle: remove one of them from the base.',
        );
      }
      onLink?.(here, node);
      if (node.target.startsWith('/')) chain = [top];
      for (const name of componentsOf(node.target).reverse()) pending.push({ name, link: here });
      continue;
    }
    if (node.type === 'directory') chain.push({ path: here, node });
    else if (pending.length > 0) return { kind: 'obstructed', path: here };
    else return { kind: 'found', path: here, node };
  }
  return { kind: 'found', ...chain.at(-1)! };
}

/** Why nothing can be made at a path that is `dangling` or `obstructed`, as the end of a sentence. */
export function reasonOf(place: Place & { kind: 'dangling' | 'obstructed' }): string {
  const path = textFromByteString(place.path);
  return place.kind === 'dangling'
    ? `the symbolic link ${path} leads to something that is not there`
    : `${path} is not a directory`;
}

/** Why `path` can't be an absolute path of a root, or undefined when it can. */
export function faultOfPath(path: ByteString): string | undefined {
  if (!path.startsWith('/')) return 'not an absolute path';
  if (path.length > PATH_BYTES_MAX) return `a path of ${path.length} bytes (at most ${PATH_BYTES_MAX})`;
  for (const name of componentsOf(path)) {
    const fault = faultOfName(name);
    if (fault !== undefined) return `a path with ${fault}`;
  }
  return undefined;
}
