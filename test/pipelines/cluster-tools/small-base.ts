import type { Attributes, FileNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';

const MTIME = { seconds: 1_020_000_000, nanoseconds: 0 };

function attributes(mode: number, uid = 0, gid = 0): Attributes {
  return { mode, uid, gid, mtime: MTIME };
}

function file(content: string, mode: number, uid = 0, gid = 0): FileNode {
  const bytes = Buffer.from(content, 'latin1');
  return {
    ...attributes(mode, uid, gid),
    type: 'file',
    size: bytes.length,
    content: { kind: 'inline', bytes },
  };
}

/** A program: bytes that are no text. */
function program(name: string, mode = 0o755, uid = 0, gid = 0): FileNode {
  return file(`\x7fELF\0${name.repeat(3000)}`, mode, uid, gid);
}

/** A root of the shape that the test's Makefile works on. */
export function smallBase(): Tree {
  const builder = new TreeBuilder(attributes(0o755));
  for (const path of ['bin', 'dev', 'etc/rc.d/rc3.d', 'sbin', 'usr/lib', 'var/empty']) {
    let prefix = '';
    for (const name of path.split('/')) {
      prefix += `/${name}`;
      builder.directory(prefix, attributes(0o755));
    }
  }
  builder.directory('/root', attributes(0o700));
  builder.directory('/usr/lib/locked', attributes(0o500, 9, 9));
  const symlink = (path: string, target: string): void => {
    builder.put(path, { ...attributes(0o777), type: 'symlink', target });
  };
  const texts: Record<string, FileNode> = {
    '/etc/inittab': file('id:3:initdefault:\nx:5:respawn:/etc/X11/prefdm\n', 0o644),
    '/etc/fstab': file('/dev/old / ext2\n', 0o644),
    '/etc/services': file('ssh 22/tcp\n', 0o444, 0, 3),
    '/etc/shadow': file('root:*:0\n', 0, 0, 42),
    '/etc/passwd': file('root:x:0:0::/root:/bin/sh\ngames:x:312:300::/:/bin/sh\n', 0o644),
    '/etc/group': file('root:x:0:\ngames:x:320:\n', 0o644),
    '/etc/ld.so.cache': file('binary\0', 0o644),
    '/var/file': file('a file\n', 0o644),
    '/usr/lib/locked/file': file('1\n', 0o400, 9, 9),
  };
  for (const [path, node] of Object.entries(texts)) builder.put(path, node);
  for (const name of ['init', 'modprobe', 'hotplug']) builder.put(`/sbin/${name}`, program(name));
  for (const name of ['ls', 'cat', 'gzip', 'untouched']) builder.put(`/bin/${name}`, program(name));
  builder.put('/bin/su', program('su', 0o4755));
  builder.link('/bin/gunzip', '/bin/gzip');
  for (const folder of ['replaced', 'moved', 'gone']) {
    builder.directory(`/usr/lib/${folder}`, attributes(0o755, 1, 1));
    builder.directory(`/usr/lib/${folder}/deep`, attributes(0o755, 2, 2));
    builder.put(`/usr/lib/${folder}/deep/lib.so`, program(folder));
    builder.put(`/usr/lib/${folder}/lib.so`, program(`${folder}-lib`, 0o444));
    symlink(`/usr/lib/${folder}/lib.so.1`, 'lib.so');
  }
  builder.put('/dev/console', { ...attributes(0o600), type: 'character', major: 5, minor: 1 });
  builder.put('/dev/hda', { ...attributes(0o660, 0, 6), type: 'block', major: 3, minor: 0 });
  builder.put('/dev/far', { ...attributes(0o660), type: 'block', major: 259, minor: 1000 });
  builder.put('/dev/gpmctl', { ...attributes(0o600), type: 'fifo' });
  symlink('/etc/rc.d/rc3.d/S25netfs', '../init.d/netfs');
  symlink('/etc/rc.d/rc3.d/S10network', '../init.d/network');
  symlink('/etc/mtab', '/proc/mounts');
  builder.put('/etc/\xff\xfe', file('a name that is not UTF-8\n', 0o644));
  return builder.build();
}
