/** Words of a kernel's command line that every guest has. */
interface GuestWords {
  /** Names the guest's sockets. */
  readonly name: string;
  readonly memoryMiB: number;
  /** Path of the ramdisk. */
  readonly ramdisk: string;
  /** Socket of the network switch. */
  readonly switchSocket: string;
  /** Last byte of the network card's address, 1 to 255. */
  readonly card: number;
  /** Folder for the guest's own sockets. */
  readonly umlFolder: string;
  /** What the user has to add. */
  readonly append: readonly string[];
}

/** What a node with a GFS2 root is told. */
export interface Gfs2NodeWords extends GuestWords {
  readonly number: number;
  /** The shared root. */
  readonly root: string;
  /** `new` if no other node is up: two that are told so share a disk and know nothing of each other. */
  readonly cluster: 'new' | 'join';
  /** Numbers of the nodes that a node which joins has to meet, one of them. */
  readonly meet: readonly number[];
  /** Folder of the host for what node and host ask of each other. */
  readonly hostFolder: string;
}

/** What a node with an OpenGFS root is told. */
export interface OpenGfsNodeWords extends GuestWords {
  readonly number: number;
  readonly root: string;
  readonly lockTable: string;
}

/** File descriptors that a guest is started with. */
export const GuestDescriptor = { consoleInput: 0, consoleOutput: 1, agentInput: 4, agentOutput: 5 } as const;

/**
 * What a kernel need not do: to try out which way of computing RAID 6 is the fastest takes most of the time that Debian's
 * needs to its first program (0.85 of 1.0 s, and nodes have no RAID: only btrfs over several disks would want it); SELinux
 * and the audit cost time in each call, and without a policy are of no use. For each of the 512 terminals of BSD a program
 * would be started that is not there. How long a loop takes is measured for udelay(), which only drivers of devices
 * call: the value is one of a quick processor.
 */
const QUICK_START = [
  'initcall_blacklist=raid6_select_algo',
  'selinux=0',
  'audit=0',
  'pty.legacy_count=0',
  'lpj=50000000',
];

/**
 * A node of today's kernels: /init of the ramdisk reads node, cluster and fence. The guest sees nothing of the host but
 * the one folder; without `noreboot` a node that is rebooted would start with the words of its first start, among them
 * `cluster=new`.
 */
export function gfs2NodeCommandLine(words: Gfs2NodeWords): string[] {
  return [
    ...guestWords(words),
    'rdinit=/init',
    // "c": the file is not locked, as several nodes have it.
    `ubd0c=${words.root}`,
    'quiet',
    'noreboot',
    ...QUICK_START,
    `con1=fd:${GuestDescriptor.agentInput},fd:${GuestDescriptor.agentOutput}`,
    `hostfs=${words.hostFolder}`,
    `node=${words.number}`,
    `cluster=${words.cluster}`,
    ...(words.meet.length === 0 ? [] : [`meet=${words.meet.join(',')}`]),
    'fence=/',
    ...words.append,
  ];
}

/**
 * A node of a Linux 2.4 SSI kernel: its disks are the ones of the HOWTO (5.2): the lock table is the first one behind
 * the one of a node's own, the shared root the second, as /dev/loop1 and /dev/loop2 are where they are made. The kernels of
 * the time lock no disks.
 */
export function openGfsNodeCommandLine(words: OpenGfsNodeWords): string[] {
  return [
    ...guestWords(words),
    `ubd1=${words.lockTable}`,
    `ubd2=${words.root}`,
    `node=${words.number}`,
    ...words.append,
  ];
}

/** The lock server of OpenGFS, which is no node: it has no disk. */
export function lockServerCommandLine(words: GuestWords): string[] {
  return guestWords(words);
}

function guestWords(words: GuestWords): string[] {
  const card = words.card.toString(16).padStart(2, '0');
  return [
    `mem=${words.memoryMiB}M`,
    `initrd=${words.ramdisk}`,
    `eth0=daemon,fe:fd:0a:4d:00:${card},unix,${words.switchSocket}`,
    'con=null',
    `con0=fd:${GuestDescriptor.consoleInput},fd:${GuestDescriptor.consoleOutput}`,
    `uml_dir=${words.umlFolder}`,
    `umid=${words.name}`,
  ];
}
