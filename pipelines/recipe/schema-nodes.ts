import { innerPath, key, location, oneOf, onOff, textLike } from './scalars.js';
import { digest, listOf, mapOf, mirrors, word } from './schema-parts.js';

export const ramdisk = mapOf({
  format: key(
    oneOf(['cpio', 'ext2']),
    'cpio for Linux 2.6 and later, ext2 with a linuxrc for Linux 2.4; by default ext2 with opengfs, cpio with gfs2.',
  ).optional(),
  kernelVersion: key(
    textLike(/^[A-Za-z0-9][A-Za-z0-9_.+~-]{0,63}$/, 'the version of a kernel, such as 2.4.16-21um'),
    'Which kernel it is for, by its folder of modules in the root; the only one by default.',
  ).optional(),
  uml: key(onOff(), 'Whether it is for User-Mode Linux, which is all there is; on by default.').optional(),
  modules: key(
    listOf(word('the name of a module'), 100),
    'Further kernel modules to load, before those of the cluster.',
  ).optional(),
  interface: key(
    textLike(/^[A-Za-z0-9][A-Za-z0-9.:_-]{0,14}$/, 'a network interface such as eth0'),
    "The nodes' interface to the interconnect; eth0 by default.",
  ).optional(),
  rootDevice: key(
    textLike(/^\/dev\/[A-Za-z0-9_.+/-]+$/, 'a device such as /dev/ubda'),
    'Device of the shared root in a node; /dev/ubda by default, with opengfs its pool.',
  ).optional(),
  ownPaths: key(
    listOf(innerPath(), 1000),
    'With cpio: paths of the root that each node has for itself, such as /var/log.',
  ).optional(),
  init: key(innerPath(), 'With ext2: first program of the root; /sbin/init by default.').optional(),
  lockServer: key(
    onOff(),
    'With ext2: also make initrd-memexp.img, for the lock server; off by default.',
  ).optional(),
  mkinitrd: key(
    innerPath(),
    'With ext2 and the backend host: the program of the root that makes the ramdisk (HOWTO 4.8), such as /sbin/cluster_mkinitrd, run in a chroot there. The native backend makes it by itself.',
  ).optional(),
  memexpdArguments: key(
    listOf(textLike(/^[A-Za-z0-9@%+=:,./_-]+$/, 'an argument without blanks and quotes'), 100),
    'With ext2: what memexpd is started with.',
  ).optional(),
});

export const kernel = mapOf({
  image: key(location(), 'A kernel of yours: a file or URL.').optional(),
  path: key(innerPath(), 'A kernel in the base, such as /usr/bin/linux.uml.').optional(),
  sha256: digest(),
  mirrors: mirrors(),
});

export const ssh = mapOf({
  seed: key(
    textLike(/^[^\r\n]{8,200}$/, 'a text of 8 to 200 letters'),
    'A secret from which the keys are derived; by default one of your own, which is made at the first build and kept.',
  ).optional(),
  hostKey: key(location(), 'Private Ed25519 key by which the nodes are known, instead of seed.').optional(),
  userKey: key(location(), "Private Ed25519 key of the nodes' root, instead of seed.").optional(),
});
