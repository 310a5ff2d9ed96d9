import { type ByteString, byteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { readContent } from '../../images/tree/content.js';
import type { MissingPart } from './missing-parts.js';
import type { RamdiskTree } from './ramdisk-tree.js';
import type { FoundProgram } from './shared-libraries.js';

/** Ten times the size of busybox with everything in it. */
const BUSYBOX_BYTES_MAX = 32 * 1024 * 1024;

/** Applets that a busybox does not have: it holds the names of its applets one after the other, each with a NUL. */
export function missingApplets({ path, node }: FoundProgram, applets: readonly string[]): MissingPart[] {
  const busybox = textFromByteString(path);
  const part = (text: string): MissingPart => ({ text, package: 'busybox-static' });
  if (node.size > BUSYBOX_BYTES_MAX) return [part(`a busybox: ${busybox} is too large for one`)];
  const bytes = byteString(readContent(node.content, node.size));
  return applets
    .filter((applet) => !bytes.includes(`\0${applet}\0`))
    .map((applet) => part(`the applet ${applet} of ${busybox}`));
}

/** Puts links for applets into `/bin`. */
export function linkApplets(tree: RamdiskTree, busybox: ByteString, applets: readonly string[]): void {
  for (const applet of applets) tree.link(`/bin/${applet}`, busybox);
}
