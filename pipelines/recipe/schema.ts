import { z } from 'zod';
import {
  duration,
  expecting,
  hostDirectory,
  innerPath,
  innerRelativePath,
  key,
  location,
  mode,
  oneOf,
  onOff,
  sizeBetween,
  textLike,
  url,
  VARIABLE_NAME,
  wholeNumber,
} from './scalars.js';
import { kernel, ramdisk, ssh } from './schema-nodes.js';
import { argument, digest, imageName, listOf, mapOf, mirrors, text, word } from './schema-parts.js';
import { tests } from './schema-tests.js';

/** The one version of the format that this program knows. */
export const RECIPE_VERSION = 1;

const KIB = 1024;
const MIB = 1024 ** 2;
const TIB = 1024 ** 4;
/** Client numbers of the lock table are a byte: so many nodes, and so many journals. */
const NODES_MAX = 255;
const BLOCK_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const;
const ID_MAX = 2 ** 32 - 2;
/** The last second that 32 bits hold. */
const EPOCH_MAX = 2 ** 32 - 1;

const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = String.raw`(?:${OCTET}\.){3}${OCTET}`;

const mmdebstrap = mapOf({
  suite: key(word('the name of a release'), 'Release of Debian.', 'bookworm'),
  variant: key(
    oneOf(['essential', 'apt', 'minbase', 'buildd', 'required', 'important', 'standard']),
    'What is installed at least; minbase by default.',
  ).optional(),
  include: key(
    listOf(textLike(/^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$/, 'the name of a package'), 1000),
    'Packages to install besides.',
  ).optional(),
  exclude: key(
    listOf(textLike(/^\/[^\r\n]*$/, 'an absolute path, perhaps with *'), 1000),
    'Paths that packages do not get to install, such as /usr/share/doc/*.',
  ).optional(),
  components: key(
    listOf(word('the name of a component'), 16),
    'Components of the archive; main by default.',
  ).optional(),
  mirror: key(url(), 'URL of the archive; http://deb.debian.org/debian by default.').optional(),
});

const base = mapOf({
  image: key(
    location(),
    'An ext2, ext3 or ext4 image, raw or packed as .bz2, .gz, .xz or .zst (HOWTO 5.1).',
  ).optional(),
  tar: key(location(), 'A tar of a root directory, packed or not.').optional(),
  directory: key(hostDirectory(), 'A root directory on this host.').optional(),
  mmdebstrap: key(mmdebstrap, 'A Debian root, which mmdebstrap makes.').optional(),
  given: key(
    textLike(/^[^\r\n]{1,200}$/, 'a line that says what is needed'),
    'What the user has to give, where nobody offers it for download: --set base.image=FILE, base.tar or base.directory.',
  ).optional(),
  sha256: digest(),
  mirrors: mirrors(),
});

const cluster = mapOf({
  nodes: key(wholeNumber(1, NODES_MAX), "Number of nodes; the HOWTO's own tools take 15.", '15'),
  network: key(
    textLike(new RegExp(`^${IPV4}/(?:[89]|[12]\\d|30)$`), 'an IPv4 network such as 192.168.50.0/24'),
    'Network of the interconnect: node n has address n of it.',
    '192.168.50.0/24',
  ),
  lockServer: key(
    textLike(new RegExp(`^${IPV4}:(?!0)\\d{1,5}$`), 'ADDRESS:PORT such as 192.168.50.101:15697').refine(
      (value) => Number(value.split(':')[1]) <= 65535,
      { error: 'it has a port beyond 65535' },
    ),
    'IPv4 address and TCP port of the lock server (memexpd), which is no node of the cluster; OpenGFS needs one.',
    '192.168.50.101:15697',
  ).optional(),
  callbackPort: key(
    wholeNumber(1, 65535),
    'TCP port on which the nodes listen for the lock server; 3001 by default.',
  ).optional(),
  timeout: key(
    wholeNumber(1, 86400),
    'Seconds after which a silent node is taken for dead; 30 by default.',
  ).optional(),
  stomith: key(
    word('the name of a fencing method, such as NUN'),
    'Fencing method; NUN by default, which is none.',
  ).optional(),
  token: key(
    wholeNumber(100, 600_000),
    'Milliseconds after which corosync takes a silent node for dead; 1000 by default.',
  ).optional(),
});

const pool = mapOf({
  name: key(
    word('a pool name of letters, digits, "_", "." and "-"'),
    'Name of the pool: its device is /dev/pool/NAME, its configuration file NAME.cf.',
    'pool0',
  ),
  image: key(imageName(), 'File name of its image in the output folder.', 'root_fs'),
  size: key(sizeBetween(64 * KIB, 16 * TIB, 512, '2GiB'), 'Size of its image.', '2GiB'),
  type: key(oneOf(['gfs_data', 'gfs_journal']), 'What its subpool is for; gfs_data by default.').optional(),
  device: key(
    textLike(/^\/dev\/[A-Za-z0-9_.+/-]+$/, 'a device such as /dev/loop1'),
    'The device that stands for the image in the configuration file (HOWTO 5.2).',
    '/dev/loop1',
  ),
});

const filesystem = mapOf({
  type: key(
    oneOf(['opengfs', 'gfs2', 'ext2']),
    'Format of the root filesystem: opengfs in a pool, for Linux 2.4; gfs2 on a bare device, for Linux of today; ext2 on a bare device, for one node alone.',
    'opengfs',
  ),
  pool: key(
    word('the name of a pool'),
    'With opengfs: the pool that holds it, one of pools.',
    'pool0',
  ).optional(),
  image: key(
    imageName(),
    'With gfs2 and ext2: file name of the image in the output folder; root_fs by default.',
  ).optional(),
  size: key(
    sizeBetween(16 * MIB, 16 * TIB, 4 * KIB, '2GiB'),
    'With gfs2 and ext2: size of the image.',
    '2GiB',
  ).optional(),
  lockProtocol: key(
    oneOf(['memexp', 'nolock', 'stats', 'lock_nolock', 'lock_gulm', 'lock_dlm']),
    'Lock protocol; by default memexp with opengfs, lock_dlm with gfs2.',
  ).optional(),
  lockTable: key(
    textLike(
      /^(?:\/dev\/pool\/[A-Za-z0-9_][A-Za-z0-9_.-]*|[A-Za-z0-9][A-Za-z0-9_.-]{0,31}:[A-Za-z0-9][A-Za-z0-9_.-]{0,29})$/,
      'a pool device such as /dev/pool/pool0cidev, or CLUSTER:FILESYSTEM such as ssi:root',
    ),
    'With opengfs: device of the pool that holds the lock table, another one of pools. With gfs2: CLUSTER:FILESYSTEM.',
    '/dev/pool/pool0cidev',
  ).optional(),
  journals: key(
    wholeNumber(1, NODES_MAX),
    'Number of journals, one for each node; as many as nodes by default.',
  ).optional(),
  journalSize: key(sizeBetween(MIB, TIB, MIB, '32MiB'), 'Size of a journal; 32MiB by default.').optional(),
  blockSize: key(
    expecting(z.literal(BLOCK_SIZES), 'a power of two from 512 to 65536'),
    'Bytes of a block; 4096 by default.',
  ).optional(),
});

const lockTable = mapOf({
  image: key(
    location(),
    'A cidev captured from a real gfsconf. Without it the lock table is written in an envelope of our own.',
    './root_cidev',
  ),
  sha256: digest(),
  mirrors: mirrors(),
});

const cvs = mapOf({
  root: key(
    argument('a CVS root such as :pserver:anonymous@cvs.example.org:/cvsroot/ci-linux'),
    'CVS root.',
    ':pserver:anonymous@cvs.example.org:/cvsroot/ci-linux',
  ),
  module: key(argument('the name of a CVS module'), 'Module to check out.', 'cluster-tools'),
  date: key(argument('a date in quotes, such as "2002-05-29"'), 'State of this date.').optional(),
  tag: key(textLike(/^[A-Za-z][A-Za-z0-9_-]*$/, 'a CVS tag'), 'State under this tag.').optional(),
});

const toolsSource = expecting(
  z.union([
    location(),
    z.strictObject({
      url: key(url(), 'URL of a release tarball.').optional(),
      path: key(
        textLike(/^(?![A-Za-z][A-Za-z0-9+.-]*:\/\/)[\s\S]+$/, 'the path of a tarball or directory'),
        'Path of a release tarball or of a directory.',
      ).optional(),
      cvs: key(cvs, 'A checkout of a CVS module (HOWTO 5.3.2).').optional(),
      sha256: digest(),
      mirrors: mirrors(),
    }),
  ]),
  'a URL, a path, or a map with url, path or cvs',
);

const clusterTools = mapOf({
  source: key(
    toolsSource,
    'Cluster Tools: a release tarball (URL or path), a directory, or a CVS checkout (HOWTO 5.3).',
    './cluster-tools-0.6.5.tar.bz2',
  ),
  sha256: digest(),
  mirrors: mirrors(),
  installed: key(
    location(),
    'A cpio or tar of what the rule installed on another host: taken where this host lacks make or fakeroot.',
  ).optional(),
  rule: key(
    textLike(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'the name of a make rule, such as install_ssi_redhat'),
    'Make rule that installs them (HOWTO 5.4, 5.8); install_ssi_<distribution> by default.',
  ).optional(),
  timeLimit: key(duration(), 'Time after which the make rule has failed; 30min by default.').optional(),
  needs: key(
    listOf(innerPath(), 1000),
    'Further files of the root that the rule needs to see with their contents.',
  ).optional(),
});

const modules = mapOf({
  tar: key(location(), 'A tar whose top is what goes into /lib/modules.').optional(),
  directory: key(hostDirectory(), 'A directory whose top is what goes into /lib/modules.').optional(),
  image: key(
    location(),
    'An old root image of any filesystem known here, to take the modules from (HOWTO 5.5).',
  ).optional(),
  path: key(
    innerPath(),
    'The folder in that image, /lib/modules by default; without an image, a folder of the base itself.',
  ).optional(),
  sha256: digest(),
  mirrors: mirrors(),
});

const file = mapOf({
  from: key(location(), 'What to copy: a file or URL, or a directory with everything below it.').optional(),
  content: key(text(), 'The text of the file, instead of from.').optional(),
  to: key(innerPath({ root: true }), 'Where it goes in the root.').optional(),
  path: key(innerPath({ root: true }), 'Another word for to.').optional(),
  mode: key(mode(), "Permission bits; by default those of the source, '0644' for a text.").optional(),
  uid: key(wholeNumber(0, ID_MAX), 'Owner; 0 by default.').optional(),
  gid: key(wholeNumber(0, ID_MAX), 'Group; 0 by default.').optional(),
  sha256: digest(),
  mirrors: mirrors(),
}).meta({
  allOf: [
    { oneOf: [{ required: ['from'] }, { required: ['content'] }] },
    { oneOf: [{ required: ['to'] }, { required: ['path'] }] },
  ],
});

const configure = mapOf({
  ubd: key(
    mapOf({
      devices: key(wholeNumber(1, 256), 'Number of devices from /dev/ubd/0 on; 8 by default.').optional(),
      minorStep: key(
        expecting(z.union([z.literal(1), z.literal(16)]), '1 or 16'),
        'Distance of their minor numbers: 16 (the default), or 1 for the old numbering.',
      ).optional(),
    }),
    'Makes the ubd devices anew (HOWTO 5.6).',
  ).optional(),
  inittab: key(
    mapOf({
      source: key(
        innerPath(),
        'The file with the "For UML" markers; /etc/inittab.ssi by default.',
      ).optional(),
      dhcpd: key(onOff(), 'Whether the DHCP daemon starts; off by default.').optional(),
      getty: key(
        textLike(/^[A-Za-z][A-Za-z0-9_/-]{0,31}$/, 'a terminal such as tty0'),
        'Terminal of the getty; tty0 by default.',
      ).optional(),
    }),
    'Sets up the inittab of the cluster for UML (HOWTO 5.6).',
  ).optional(),
  rcDirectory: key(
    innerPath(),
    'Directory of the runlevel directories; by default /etc for debian, else /etc/rc.d.',
  ).optional(),
  removeServices: key(
    listOf(
      innerRelativePath('rc3.d/S25netfs', (value) => {
        const match = /^\/etc\/(?:rc\.d\/)?(rc[^/]*\.d\/[^/]+)$/.exec(String(value));
        return match === null ? 'It is relative to configure.rcDirectory.' : `Write ${match[1]}.`;
      }),
      10_000,
    ),
    "Start links to remove, relative to the distribution's rc directory (HOWTO 5.6).",
  ).optional(),
  remove: key(listOf(innerPath(), 10_000), 'Paths to remove, with everything below them.').optional(),
  files: key(listOf(file, 10_000), 'Files to add, in this order.').optional(),
  network: key(
    mapOf({
      patch: key(
        onOff(),
        'Whether ifcfg-eth0 and network-functions are changed to leave the interconnect alone (HOWTO 5.8); off by default.',
      ).optional(),
      hosts: key(onOff(), 'Whether the nodes are added to /etc/hosts; off by default.').optional(),
    }),
    'Networking of the root.',
  ).optional(),
});

/** A recipe with what it extends merged in and its variables put in: the one place where its keys are listed. */
export const recipeSchema = mapOf({
  recipe: key(
    expecting(z.literal(RECIPE_VERSION), `the version of the format, ${RECIPE_VERSION},`),
    'Version of this format.',
    '1',
  ),
  name: key(
    textLike(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a name of small letters, digits, "-", "_" and "."'),
    'Name of what is built: the output folder is out/NAME.',
    'redhat72',
  ),
  summary: key(
    textLike(/^[^\r\n]{0,200}$/, 'a line of at most 200 characters'),
    'One line that says what this is.',
  ).optional(),
  extends: key(
    textLike(/^(?![\s\S]*\$\{)[\s\S]+$/, 'the path of one recipe file'),
    'A recipe file, relative to this one, whose keys hold where this one has none. Maps are merged key by key, lists replaced; null takes a key away.',
  ).optional(),
  distribution: key(
    oneOf(['redhat', 'caldera', 'debian']),
    'Decides the cluster-tools rule and the conventions of init and network (HOWTO 5.8).',
    'redhat',
  ),
  epoch: key(
    wholeNumber(0, EPOCH_MAX),
    'The clock of the build in seconds since 1970; 0 by default. SOURCE_DATE_EPOCH goes before it.',
  ).optional(),
  variables: key(
    expecting(
      z.record(
        z.string().regex(VARIABLE_NAME),
        expecting(z.union([z.string(), z.number(), z.boolean()]), 'a text, a number, a size, true or false'),
      ),
      'a map',
    ),
    `Defaults of variables: \${name} in any text stands for one ($\${ for the text \${ itself), --set name=value sets one. A value that is only \${name} takes its type.`,
  ).optional(),
  base: key(
    base,
    'What the root begins with: exactly one of image, tar, directory, mmdebstrap and given.',
    '{image: ./root_fs.bz2}',
  ),
  cluster: key(
    cluster,
    'The nodes and their lock server.',
    '{nodes: 15, network: 192.168.50.0/24, lockServer: "192.168.50.101:15697"}',
  ),
  pools: key(
    listOf(pool, 64),
    'Pools: their configuration files and images (HOWTO 5.2). OpenGFS needs two.',
    '[{name: pool0, image: root_fs, size: 2GiB, device: /dev/loop2}, …]',
  ).optional(),
  filesystem: key(
    filesystem,
    'The root filesystem (HOWTO 5.2).',
    '{type: opengfs, pool: pool0, lockTable: /dev/pool/pool0cidev}',
  ),
  lockTable: key(lockTable, 'Where the lock table comes from, if not from this project.').optional(),
  clusterTools: key(
    clusterTools,
    'Cluster Tools, which are installed into the root (HOWTO 5.3, 5.4).',
  ).optional(),
  modules: key(
    modules,
    'Kernel modules for the root (HOWTO 5.5): exactly one of tar, directory, image with path, and path.',
  ).optional(),
  ramdisk: key(ramdisk, 'What the nodes start from: initrd.img (HOWTO 4.8).').optional(),
  kernel: key(
    kernel,
    'The kernel of the nodes, which becomes the output linux: either image or path.',
  ).optional(),
  ssh: key(ssh, 'Keys with which the nodes reach each other.').optional(),
  configure: key(configure, 'Changes to the root (HOWTO 5.6, 5.8).').optional(),
  tests: key(
    tests,
    'What "ssi-image test" runs in a cluster of the nodes, in this order. No stage depends on it.',
  ).optional(),
});

/** A recipe of the right shape, sizes and such still as they are written. */
export type RecipeInput = z.output<typeof recipeSchema>;

/** The keys of a recipe itself. */
export const RECIPE_KEYS: readonly string[] = Object.keys(recipeSchema.shape);
