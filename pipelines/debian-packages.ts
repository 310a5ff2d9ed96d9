import { byteStringFromText } from '../images/bytes/byte-string.js';
import { imageError } from '../images/diagnostic.js';
import { readContent } from '../images/tree/content.js';
import type { Tree } from '../images/tree/tree.js';

/** A package that is installed in a Debian root. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

const STATUS = '/var/lib/dpkg/status';
const STATUS_BYTES_MAX = 64 * 1024 * 1024;

/** The packages of a root by dpkg's own list, in the order of their names. */
export function packagesOf(tree: Tree): DebianPackage[] {
  const node = tree.get(byteStringFromText(STATUS));
  if (node?.type !== 'file' || node.size > STATUS_BYTES_MAX)
    throw imageError({ path: STATUS }, 'the root has no list of its Debian packages');
  const packages: DebianPackage[] = [];
  for (const paragraph of readContent(node.content, node.size).toString('utf8').split(/\n\n+/)) {
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
    const [name, version, status] = [field('Package'), field('Version'), field('Status')];
    if (name !== undefined && version !== undefined && status?.endsWith(' installed') === true)
      packages.push({ name, version });
  }
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What differs between two lists, each as a short text. */
export function differenceOfPackages(
  wanted: readonly DebianPackage[],
  found: readonly DebianPackage[],
): string[] {
  const before = new Map(wanted.map(({ name, version }) => [name, version]));
  const now = new Map(found.map(({ name, version }) => [name, version]));
  const differences: string[] = [];
  for (const [name, version] of before) {
    const other = now.get(name);
    if (other === undefined) differences.push(`${name} is missing`);
    else if (other !== version) differences.push(`${name} is ${other} instead of ${version}`);
  }
  for (const name of now.keys()) if (!before.has(name)) differences.push(`${name} is new`);
  return differences;
}
