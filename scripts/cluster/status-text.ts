import { printable } from '../../images/diagnostic.js';
import type { ClusterStatus, NodeStatus } from '../../pipelines/nodes/cluster-status.js';
import { formatBytes } from '../command-line/output.js';

const HEADINGS = ['NODE', 'STATE', 'UPTIME', 'MEMORY', 'MEMBERS', 'LOCKSPACE'];

/** What `ssi-status` shows of a cluster. */
export function statusText(status: ClusterStatus): string {
  const rows = [HEADINGS, ...status.nodes.map(rowOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const network =
    status.network === 'up' ? [] : ['the network switch has ended: the nodes do not see each other'];
  return [
    `${status.name}: ${status.root} (${status.kind}, at most ${status.nodesMax} nodes of ${status.memoryMiB} MiB)`,
    ...network,
    ...(status.nodes.length === 0 ? ['no nodes'] : table),
    ...differences(status.nodes),
  ]
    .map((line) => `${printable(line)}\n`)
    .join('');
}

function rowOf(node: NodeStatus): string[] {
  const { uptime, memory, members, lockspaces } = node;
  return [
    `${node.node}`,
    node.state,
    uptime === undefined ? '-' : formatUptime(uptime),
    memory === undefined ? '-' : formatBytes(memory),
    members === undefined ? '-' : members.join(' '),
    lockspaces === undefined || lockspaces.length === 0
      ? '-'
      : lockspaces.map(({ name, members: of }) => `${name} (${of.join(' ')})`).join(', '),
  ];
}

/** Nodes that are up and see different members are not one cluster, or not yet again. */
function differences(nodes: readonly NodeStatus[]): string[] {
  const views = new Set(nodes.flatMap(({ members }) => (members === undefined ? [] : [members.join(' ')])));
  return views.size > 1 ? ['the nodes do not agree who is a member'] : [];
}

function formatUptime(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
