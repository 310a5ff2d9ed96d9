import { byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { sortedNames, type Tree } from '../../images/tree/tree.js';
import { findPlace } from '../configure/place.js';

/** Where kernels keep their modules: `linux.uml` of Debian's package user-mode-linux, and any other. */
const PARENTS = ['/usr/lib/uml/modules', '/lib/modules'];

/**
 * The folder of a kernel's modules in a root, such as `/usr/lib/uml/modules/6.1.176`; without a version, that of the
 * only kernel of the first place that has any. Throws a DiagnosticError that names the versions that there are when
 * there is none, or more than one to choose from.
 */
export function findModulesFolder(tree: Tree, version?: string): string {
  const found = PARENTS.map((parent) => ({ parent, versions: versionsIn(tree, parent) }));
  for (const { parent, versions } of found) {
    if (version !== undefined && versions.includes(version)) return `${parent}/${version}`;
    const [only, ...others] = versions;
    if (version === undefined && only !== undefined && others.length === 0) return `${parent}/${only}`;
    if (version === undefined && only !== undefined) {
      throw imageError(
        { path: parent },
        `the modules of ${versions.length} kernels are there: ${versions.slice(0, 10).join(', ')}`,
        'Say in the recipe which one: ramdisk: {kernelVersion: ...}.',
      );
    }
  }
  const there = found.flatMap(({ parent, versions }) => versions.map((name) => `${parent}/${name}`));
  throw imageError(
    {},
    version === undefined
      ? `the root has no kernel modules, neither in ${PARENTS.join(' nor in ')}`
      : `the root has no modules of the kernel ${version}`,
    there.length === 0
      ? 'Add the Debian package user-mode-linux to the base, or modules with "modules:".'
      : `There are ${there.slice(0, 10).join(', ')}.`,
  );
}

function versionsIn(tree: Tree, parent: string): string[] {
  const place = findPlace(tree.root, byteStringFromText(parent), true);
  if (place.kind !== 'found' || place.node.type !== 'directory') return [];
  const { node } = place;
  return sortedNames(node)
    .filter((name) => node.entries.get(name)?.type === 'directory')
    .map(textFromByteString);
}
