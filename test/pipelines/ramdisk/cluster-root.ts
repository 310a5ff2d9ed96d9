import { statSync } from 'node:fs';
import type { FileNode, TreeNode } from '../../../images/tree/node.js';
import { type ElfContents, elfFile } from '../../support/elf-file.js';
import { plain, text } from '../../support/small-trees.js';
import { tool } from '../../support/tools.js';

export const LOADER = '/lib64/ld-linux-x86-64.so.2';

export function elf(contents: ElfContents = {}): FileNode {
  return file(elfFile(contents));
}

export function file(bytes: Uint8Array): FileNode {
  return { ...plain, mode: 0o755, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } };
}

/** A program of this host. */
export function hostProgram(name: string): FileNode {
  const path = tool(name);
  const { size } = statSync(path);
  return {
    ...plain,
    mode: 0o755,
    type: 'file',
    size,
    content: { kind: 'host-file', path: Buffer.from(path) },
  };
}

/** A busybox that has applets of these names, as far as their names go. */
export function namesOfApplets(applets: readonly string[]): FileNode {
  return file(Buffer.concat([elfFile(), Buffer.from(`\0${applets.join('\0')}\0`)]));
}

/** What stands for a Debian root with corosync, dlm_controld and the modules of linux.uml. */
export function clusterRootEntries(busybox: FileNode): Record<string, TreeNode> {
  const modules = '/usr/lib/uml/modules/6.1.0';
  return {
    '/bin/busybox': busybox,
    '/usr/sbin/corosync': elf({ interpreter: LOADER, needed: ['libqb.so.100'] }),
    '/usr/sbin/corosync-quorumtool': elf({ interpreter: LOADER }),
    '/usr/sbin/corosync-cfgtool': elf({ interpreter: LOADER }),
    '/usr/sbin/dlm_controld': elf({ interpreter: LOADER, needed: ['libqb.so.100'] }),
    '/usr/sbin/dlm_tool': elf({ interpreter: LOADER }),
    [LOADER]: elf(),
    '/usr/lib/x86_64-linux-gnu/libqb.so.100': elf({ soname: 'libqb.so.100' }),
    [`${modules}/modules.dep`]: text(
      'g/gfs2.ko: d/dlm.ko c/configfs.ko\nd/dlm.ko: c/configfs.ko\nc/configfs.ko:\nn/dummy.ko:\n',
    ),
    [`${modules}/g/gfs2.ko`]: text('gfs2'),
    [`${modules}/d/dlm.ko`]: text('dlm'),
    [`${modules}/c/configfs.ko`]: text('configfs'),
    [`${modules}/n/dummy.ko`]: text('dummy'),
  };
}
