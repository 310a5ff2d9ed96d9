import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { ConfigureSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { reasonOf } from './place.js';
import type { RootEditor } from './root-editor.js';
import { readSmallFile, type SmallFile, writeSmallFile } from './small-file.js';

const FOLDER = '/etc/sysconfig/network-scripts';
const SETTINGS_FILE = `${FOLDER}/ifcfg-eth0`;
const FUNCTIONS_FILE = `${FOLDER}/network-functions`;

const COMMENT = `\
# Cluster interconnect: the ramdisk configures eth0 before init runs, and the
# shared root depends on it. The network scripts are to leave it alone.
`;

/** What the guard begins with, by which it is known when it is there already. */
const GUARD_MARK = '# Cluster interconnect: guard';

/**
 * Network scripts source their functions first, with the interface as their first argument, and some of them take an
 * interface down whatever its settings file says (`network stop` does): so the guard ends them there.
 */
const GUARD = `\
${GUARD_MARK}
# The ramdisk configures eth0 before init runs, and the shared root depends on
# it: a script that would bring it up again, or take it down, ends here.
case "\${0##*/}" in
ifup | ifup-* | ifdown | ifdown-*)
    case "\${1##*/}" in
    eth0 | ifcfg-eth0)
        echo "\${0##*/}: eth0 is the cluster interconnect, left as it is"
        exit 0
        ;;
    esac
    ;;
esac
`;

/**
 * HOWTO 5.8: keeps Red Hat's network scripts from undoing the configuration of the cluster interconnect. `ifcfg-eth0`
 * says that eth0 is neither brought up at boot nor by DHCP; `network-functions` gets a guard that stops `ifup` and
 * `ifdown` of eth0. The patch is this project's own; the cluster tools of 2002 had another for the same two files.
 */
export function patchNetworkScripts(
  root: RootEditor,
  { patch }: ConfigureSettings['network'],
  context: ConfigureContext,
): void {
  if (!patch) return;
  if (context.distribution !== 'redhat') {
    throw context.faultAt(
      ['configure', 'network', 'patch'],
      `the network scripts can only be patched in Red Hat's layout (HOWTO 5.8), not in that of ${context.distribution}`,
      'Set "network: {patch: false}" and see to it with "files" that nothing configures eth0 again.',
    );
  }
  edit(root, SETTINGS_FILE, withoutBoot);
  edit(root, FUNCTIONS_FILE, (text) =>
    text.includes(GUARD_MARK) ? text : `${endingWithNewline(text)}\n${GUARD}`,
  );
}

function edit(root: RootEditor, path: ByteString, change: (text: ByteString) => ByteString): void {
  const file = existing(root, path);
  const text = change(file.text);
  if (text === file.text) {
    root.note('network', file.path, 'already done');
    return;
  }
  writeSmallFile(root, file, text);
  root.note('network', file.path, 'changed');
}

function existing(root: RootEditor, path: ByteString): SmallFile {
  const place = root.find(path, true);
  if (place.kind === 'found') return readSmallFile(place);
  throw imageError(
    { path: textFromByteString(path) },
    place.kind === 'absent' ? 'no such file in the root, and network.patch needs it' : reasonOf(place),
    'Red Hat\'s package initscripts brings the network scripts; without them set "network: {patch: false}".',
  );
}

/** The settings with ONBOOT=no and BOOTPROTO=none, as sh reads them: the last assignment is the one that counts. */
function withoutBoot(text: ByteString): ByteString {
  const wanted = { ONBOOT: 'no', BOOTPROTO: 'none' };
  let result = text;
  for (const [name, value] of Object.entries(wanted)) {
    const assignment = new RegExp(`^([ \\t]*(?:export[ \\t]+)?)${name}=[^\\r\\n]*`, 'gm');
    const found = result.match(assignment) ?? [];
    if (found.length === 0) result = `${endingWithNewline(result)}${name}=${value}\n`;
    else result = result.replace(assignment, `$1${name}=${value}`);
  }
  return result === text ? text : `${COMMENT}${result}`;
}

function endingWithNewline(text: ByteString): ByteString {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
