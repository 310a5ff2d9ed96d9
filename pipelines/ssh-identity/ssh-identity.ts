import { nodeName } from '../ramdisk/node-network.js';
import { dropbearKey, type Ed25519Key, publicKeyLine } from './ed25519-key.js';

/** By which the nodes of a cluster know each other: all of them are one host with one root. */
export interface SshIdentity {
  readonly hostKey: Ed25519Key;
  /** Of root, who may log in with it from node to node. */
  readonly userKey: Ed25519Key;
}

export interface IdentityFile {
  /** Absolute path in the root. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

/**
 * The files of a cluster's identity, for Dropbear: its host key, root's key, who may log in (the nodes), and by what
 * the nodes are known, under their names and addresses (node 1 first).
 */
export function identityFiles(
  { hostKey, userKey }: SshIdentity,
  addresses: readonly string[],
): IdentityFile[] {
  const names = addresses.flatMap((address, index) => [nodeName(index + 1), address]);
  const known = names.map((name) => `${name} ${publicKeyLine(hostKey)}\n`).join('');
  const file = (path: string, mode: number, content: Buffer | string): IdentityFile => ({
    path,
    mode,
    content: Buffer.from(content),
  });
  return [
    file('/etc/dropbear/dropbear_ed25519_host_key', 0o600, dropbearKey(hostKey)),
    file('/root/.ssh/id_dropbear', 0o600, dropbearKey(userKey)),
    file('/root/.ssh/id_dropbear.pub', 0o644, `${publicKeyLine(userKey)} root@cluster\n`),
    file('/root/.ssh/authorized_keys', 0o600, `${publicKeyLine(userKey)} root@cluster\n`),
    file('/root/.ssh/known_hosts', 0o644, known),
  ];
}
