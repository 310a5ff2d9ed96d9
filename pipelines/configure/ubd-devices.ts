import { byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { Attributes, DirectoryNode } from '../../images/tree/node.js';
import { joinPath, sortedNames } from '../../images/tree/tree.js';
import type { UbdSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { type Place, reasonOf } from './place.js';
import { emptyDirectory, type RootEditor } from './root-editor.js';
import { nameOf, readSmallFile, SMALL_FILE_BYTES_MAX } from './small-file.js';

/** Major number of UML's block devices (Linux's Documentation/admin-guide/devices.txt). */
const UBD_MAJOR = 98;
/** Minor numbers have 20 bits since Linux 2.6; 8 bits before that. */
const MINORS = 2 ** 20;

const FOLDER = '/dev/ubd';
/** Names of whole devices in `/dev/ubd`: a number, as devfs had them. */
const NUMBER = /^(?:0|[1-9]\d{0,6})$/;
/** Names of whole devices in `/dev` itself. `ubda1` is a partition, which the old numbering had none of. */
const FLAT_NAME = /^ubd(?:(0|[1-9]\d{0,6})|([a-z]))$/;

/**
 * HOWTO 5.6: remakes UML's disks, `/dev/ubd/0` and up, with the minor numbers of the kernel that is to be booted:
 * the number of the disk in the old numbering, 16 times that in the new one. Nodes of the base beyond the number
 * asked for, and those with flat names (`/dev/ubd0`, `/dev/ubda`), would be left with the other numbering: they are
 * remade too. An existing node keeps its owner and mode; a new one is `brw-rw---- root disk`, as MAKEDEV makes disks.
 */
export function remakeUbdDevices(root: RootEditor, settings: UbdSettings, context: ConfigureContext): void {
  const { devices, minorStep } = settings;
  if (!(devices >= 0 && devices * minorStep <= MINORS)) {
    throw context.faultAt(
      ['configure', 'ubd', 'devices'],
      `${devices} devices ${minorStep} apart need more minor numbers than there are (${MINORS})`,
    );
  }
  const folder = deviceFolder(root);
  const fresh: Attributes = { mode: 0o660, uid: 0, gid: groupOfDisks(root), mtime: root.mtime };
  const remake = (path: string, number: number): void => {
    remakeDevice(root, path, number * minorStep, fresh);
  };
  for (let number = 0; number < devices; number++) remake(joinPath(folder.path, `${number}`), number);
  for (const name of sortedNames(folder.node)) {
    const number = NUMBER.test(name) ? Number(name) : -1;
    if (number >= devices && number * minorStep < MINORS && isUbd(folder.node, name)) {
      remake(joinPath(folder.path, name), number);
    }
  }
  const flat = root.find('/dev', true);
  if (flat.kind !== 'found' || flat.node.type !== 'directory') return;
  for (const name of sortedNames(flat.node)) {
    const [, digits, letter] = FLAT_NAME.exec(name) ?? [];
    const number = letter === undefined ? Number(digits) : letter.charCodeAt(0) - 'a'.charCodeAt(0);
    if (number * minorStep < MINORS && isUbd(flat.node, name)) remake(joinPath(flat.path, name), number);
  }
}

function isUbd(folder: DirectoryNode, name: string): boolean {
  const node = folder.entries.get(name);
  return node?.type === 'block' && node.major === UBD_MAJOR;
}

/** `/dev/ubd`, made if it is missing, wherever symbolic links of the root lead to. */
function deviceFolder(root: RootEditor): { path: string; node: DirectoryNode } {
  const place = root.find(FOLDER, true);
  if (place.kind === 'absent') {
    root.makeDirectories(place.path);
    root.note('ubd', place.path, 'added');
    return { path: place.path, node: emptyDirectory(root.mtime) };
  }
  if (place.kind !== 'found') throw inTheWay(FOLDER, reasonOf(place));
  if (place.node.type !== 'directory') {
    throw inTheWay(
      place.path,
      `it is a ${nameOf(place.node)}, and the devices belong into a directory of this name`,
    );
  }
  return { path: place.path, node: place.node };
}

function remakeDevice(root: RootEditor, path: string, minor: number, fresh: Attributes): void {
  const place: Place = root.find(path);
  const existing = place.kind === 'found' ? place.node : undefined;
  const detail = `block ${UBD_MAJOR},${minor}`;
  const device = { type: 'block', major: UBD_MAJOR, minor } as const;
  if (existing === undefined || existing.type === 'symlink') {
    root.put(path, { ...fresh, ...device });
    root.note('ubd', path, existing === undefined ? 'added' : 'replaced', { detail });
    return;
  }
  if (existing.type !== 'block' && existing.type !== 'character') {
    throw inTheWay(path, `it is a ${nameOf(existing)} and no device`);
  }
  const before = `${existing.type} ${existing.major},${existing.minor}`;
  if (before === detail) {
    root.note('ubd', path, 'already done', { detail });
    return;
  }
  root.put(path, { ...existing, ...device, mtime: root.mtime });
  root.note('ubd', path, 'replaced', { detail: `${detail}, was ${before}` });
}

function inTheWay(path: string, reason: string) {
  return imageError(
    { path: textFromByteString(path) },
    `the ubd devices can't be made: ${reason}`,
    'Remove it with "configure: {remove: [...]}" if nothing needs it.',
  );
}

/** The group that disks belong to, as the root itself has it; 0 where it has none. */
function groupOfDisks(root: RootEditor): number {
  const place = root.find(byteStringFromText('/etc/group'), true);
  if (place.kind !== 'found' || place.node.type !== 'file' || place.node.size > SMALL_FILE_BYTES_MAX)
    return 0;
  const [, gid] = /^disk:[^:\n]*:(\d{1,10}):/m.exec(readSmallFile(place).text) ?? [];
  const number = Number(gid ?? 0);
  return number < 2 ** 32 - 1 ? number : 0;
}
