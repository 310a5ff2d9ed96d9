import { usageError } from '../../images/diagnostic.js';
import { nodeName } from './node-network.js';

/** The members of a cluster and how they find each other. */
export interface ClusterMembership {
  /** Addresses of the nodes by number, node 1 first. */
  readonly addresses: readonly string[];
  /** `CLUSTER:FILESYSTEM`, as mkfs.gfs2 -t was told. */
  readonly lockTable: string;
  /** Milliseconds without a sign of life after which a member is taken for dead; 1000 is corosync's own choice. */
  readonly token: number;
}

/** Where the fence agent lies in the tree of the daemons. */
export const FENCE_AGENT = '/usr/sbin/fence_by_host';

/** What GFS2 (names of 64 bytes in all) and corosync take. */
const LOCK_TABLE = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):([A-Za-z0-9][A-Za-z0-9_.-]{0,29})$/;

/** Throws a DiagnosticError when there could be no such cluster. */
export function checkMembership({ lockTable, token }: ClusterMembership): void {
  clusterName(lockTable);
  if (!Number.isInteger(token) || token < 100 || token > 600_000)
    throw usageError(`a token timeout of ${token} milliseconds`, 'It can be 100 to 600000.');
}

/** The part of a lock table that names the cluster: corosync's cluster has to have the same name. */
export function clusterName(lockTable: string): string {
  const [, name] = LOCK_TABLE.exec(lockTable) ?? [];
  if (name !== undefined) return name;
  throw usageError(
    `the lock table "${lockTable}"`,
    'It is CLUSTER:FILESYSTEM, such as uml:root: at most 32 and 30 letters, digits, "_", "-" and ".".',
  );
}

/**
 * corosync.conf(5). `udpu` takes a third of the memory that `knet` does. Realtime scheduling is off: a processor that
 * many nodes share starves them then. Every node may be up alone, so quorum is counted but steers nothing. What
 * corosync keeps in shared memory it fills page by page, a call each, which is what most of its start is in User-Mode
 * Linux: so no flight recorder (blackbox), and sockets for dlm_controld, which has five connections of 3 MiB otherwise.
 */
export function corosyncConf({ addresses, lockTable, token }: ClusterMembership): string {
  const nodes = addresses.map(
    (address, index) => `	node {
		name: ${nodeName(index + 1)}
		nodeid: ${index + 1}
		ring0_addr: ${address}
	}
`,
  );
  return `totem {
	version: 2
	cluster_name: ${clusterName(lockTable)}
	transport: udpu
	token: ${token}
}

system {
	qb_ipc_type: socket
	sched_rr: no
	move_to_root_cgroup: no
}

logging {
	blackbox: off
	to_stderr: no
	to_syslog: no
	to_logfile: yes
	logfile: /var/log/corosync/corosync.log
	timestamp: hires
}

quorum {
	provider: corosync_votequorum
}

nodelist {
${nodes.join('')}}
`;
}

/**
 * dlm.conf(5). Who may be in the cluster is decided by the host, which starts one node with cluster=new and the others
 * with cluster=join: so quorum is not asked for, and nobody is fenced only because he is not there yet. Fencing is the
 * host's too; /init turns it off where the host offers none, as nodes would wait for it for ever. Without a delay of its
 * own DLM would wait for half a minute after the last node came, in which all access to what a dead node had locked
 * stands still.
 */
export function dlmConf(): string {
  return `protocol=tcp
enable_fencing=1
enable_startup_fencing=0
enable_quorum_fencing=0
enable_quorum_lockspace=0
post_join_delay=1
log_debug=0
fence_all ${FENCE_AGENT}
`;
}
