import { spawnSync } from 'node:child_process';
import type { DeviceNode, SpecialNode } from '../images/tree/node.js';

/**
 * Makes a fifo or device node on the host, which Node has no call for: by the programs `mkfifo` and `mknod`.
 * Returns why it could not, or undefined when it is there.
 */
export function makeSpecialFile(path: Buffer, node: DeviceNode | SpecialNode): string | undefined {
  if (node.type === 'socket') return 'a socket exists only while a program listens on it';
  // Arguments of a process are text in Node: a name that is not UTF-8 can't be handed over.
  const name = path.toString('utf8');
  if (!Buffer.from(name, 'utf8').equals(path)) return 'its name is not UTF-8';
  const [program, args]: [string, string[]] =
    node.type === 'fifo'
      ? ['mkfifo', ['-m', '600', '--', name]]
      : [
          'mknod',
          ['-m', '600', '--', name, node.type === 'block' ? 'b' : 'c', `${node.major}`, `${node.minor}`],
        ];
  const result = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (result.error !== undefined) return `the program ${program} is missing (Debian package coreutils)`;
  if (result.status === 0) return undefined;
  return result.stderr.includes('not permitted') ? 'only root may make device nodes' : result.stderr.trim();
}
