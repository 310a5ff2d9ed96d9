import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Cluster } from './cluster.js';
import { commandOutput } from './command-output.js';
import type { ClusterNode } from './node.js';

export interface NodeStatus {
  readonly node: number;
  readonly state:
    | 'starting'
    | 'ready'
    | 'leaving'
    | 'left'
    | 'crashed'
    | 'fenced'
    | 'failed'
    | 'killed'
    | 'died';
  /** Seconds since it was ready. */
  readonly uptime?: number;
  /** Process group on the host. */
  readonly group?: number;
  /** Bytes of the host's memory that it takes. */
  readonly memory?: number;
  /** Numbers of the nodes that it takes for members of the cluster. */
  readonly members?: readonly number[];
  /** Names of the lockspaces that it is in, with the nodes that it takes for their members. */
  readonly lockspaces?: readonly Lockspace[];
}

export interface Lockspace {
  readonly name: string;
  readonly members: readonly number[];
}

export interface ClusterStatus {
  readonly name: string;
  readonly root: string;
  readonly kernel: string;
  readonly kind: 'gfs2' | 'opengfs';
  /** How many nodes there can be. */
  readonly nodesMax: number;
  readonly memoryMiB: number;
  readonly supervisor: number;
  readonly network: 'up' | 'dead';
  readonly logs: string;
  readonly nodes: readonly NodeStatus[];
}

/** How long a node may take to say what it sees, in milliseconds. */
const ASK_MILLISECONDS = 3000;

/** What a cluster is at; nodes are asked what they see. */
export async function clusterStatus(cluster: Cluster, name: string, logs: string): Promise<ClusterStatus> {
  const { prepared } = cluster;
  return {
    name,
    root: prepared.root,
    kernel: prepared.settings.kernel,
    kind: prepared.image.kind,
    nodesMax: prepared.image.journals,
    memoryMiB: prepared.settings.memoryMiB,
    supervisor: process.pid,
    network: cluster.isSwitchDead ? 'dead' : 'up',
    logs,
    nodes: await Promise.all(cluster.all.map(nodeStatus)),
  };
}

async function nodeStatus(node: ClusterNode): Promise<NodeStatus> {
  if (!node.runs) return { node: node.number, state: node.end ?? 'died' };
  const state = node.isLeaving ? 'leaving' : node.has('ready') ? 'ready' : 'starting';
  const memory = memoryOf(node.group);
  const [members, lockspaces] =
    state === 'ready'
      ? await Promise.all([
          commandOutput(node.agent, ['corosync-quorumtool', '-i', '-l'], ASK_MILLISECONDS),
          commandOutput(node.agent, ['dlm_tool', 'ls'], ASK_MILLISECONDS),
        ])
      : [];
  return {
    node: node.number,
    state,
    group: node.group,
    ...(node.readyAt === undefined ? {} : { uptime: Math.round((Date.now() - node.readyAt) / 1000) }),
    ...(memory === undefined ? {} : { memory }),
    ...(members === undefined ? {} : { members: membersIn(members) }),
    ...(lockspaces === undefined ? {} : { lockspaces: lockspacesIn(lockspaces) }),
  };
}

/** The members that `corosync-quorumtool -l` lists. */
export function membersIn(text: string): number[] {
  return [...text.matchAll(/^\s*(\d{1,5})\s+\d+\s/gm)].map((match) => Number(match[1])).sort((a, b) => a - b);
}

/** The lockspaces that `dlm_tool ls` lists. */
export function lockspacesIn(text: string): Lockspace[] {
  return [...text.matchAll(/^name +(\S+)\s([\s\S]*?)(?=^name |(?![\s\S]))/gm)].map(
    ([, name = '', rest = '']) => ({
      name,
      members: (/^members +([\d ]*)$/m.exec(rest)?.[1] ?? '')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    }),
  );
}

/** Memory of a guest: what its memory file, which has no name any more, takes. */
function memoryOf(pid: number): number | undefined {
  try {
    const folder = `/proc/${pid}/fd`;
    for (const name of readdirSync(folder)) {
      const path = `${folder}/${name}`;
      if (/\/vm_file-\w+ \(deleted\)$/.test(readlinkSync(path))) return statSync(path).blocks * 512;
    }
    // Another kernel may do it in another way.
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return resident === undefined ? undefined : Number(resident) * 1024;
  } catch {
    return undefined;
  }
}
