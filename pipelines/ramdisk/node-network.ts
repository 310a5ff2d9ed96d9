import { usageError } from '../../images/diagnostic.js';
import { faultOfPath } from '../configure/place.js';
import { addressOf, parseAddress } from '../recipe/network.js';

/** The network between the nodes. */
export interface NodeNetwork {
  /** Addresses of the nodes by number, node 1 first. */
  readonly addresses: readonly string[];
  /** Bits of the addresses that the nodes have in common, 1 to 30. */
  readonly prefix: number;
  /** The nodes' network interface, such as `eth0`. */
  readonly interface: string;
}

/** Names a node everywhere: corosync, /etc/hosts, its host name. */
export function nodeName(number: number): string {
  return `node${number}`;
}

/** Throws a DiagnosticError when there could be no such network. */
export function checkNetwork({ addresses, prefix, interface: name }: NodeNetwork): void {
  if (addresses.length === 0) throw usageError('a cluster without nodes');
  for (const address of addresses) checkAddress(address);
  if (new Set(addresses).size < addresses.length)
    throw usageError('two nodes of the cluster have one address');
  if (!Number.isInteger(prefix) || prefix < 1 || prefix > 30)
    throw usageError(`a network of ${prefix} bits`, 'It can be 1 to 30.');
  // Linux: at most 15 letters (IFNAMSIZ).
  if (!/^[A-Za-z0-9][A-Za-z0-9.:_-]{0,14}$/.test(name))
    throw usageError(`the network interface "${name}"`, 'It has a name such as eth0.');
}

export function checkAddress(address: string): void {
  if (parseAddress(address) === undefined)
    throw usageError(`the address "${address}"`, 'It has four numbers, such as 192.168.50.1.');
}

/** Throws a DiagnosticError unless a path of the root can stand in a shell script's variable or list. */
export function checkScriptPath(path: string): void {
  const odd = /[\s'"\\]/.test(path) ? 'a path with blanks or quotes' : undefined;
  const fault = odd ?? (path.split('/').includes('..') ? 'a path with ".."' : faultOfPath(path));
  if (fault !== undefined) throw usageError(`"${path}" is ${fault}`, 'Name an absolute path of the root.');
}

/** One line a node for the ramdisk's script: number, address, name. */
export function nodesFile(addresses: readonly string[]): string {
  return addresses.map((address, index) => `${index + 1} ${address} ${nodeName(index + 1)}\n`).join('');
}

/** hosts(5) */
export function hostsFile(addresses: readonly string[]): string {
  const nodes = addresses.map((address, index) => `${address}\t${nodeName(index + 1)}\n`);
  return `127.0.0.1\tlocalhost\n${nodes.join('')}`;
}

export function netmaskOf(prefix: number): string {
  return addressOf(2 ** 32 - 2 ** (32 - prefix));
}

/** Assignments that a shell reads with `.`, whatever the values are. */
export function shellVariables(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');
}
