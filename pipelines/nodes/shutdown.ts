import { spawn } from 'node:child_process';
import { findProgram } from '../program-folders.js';
import type { ClusterListener } from './cluster-events.js';
import type { ClusterNode, NodeEnd } from './node.js';

export interface LeaveOptions {
  /** How long a node may take to shut down. */
  readonly milliseconds: number;
  /** Whether to end all at once, as if their power went. */
  readonly now: boolean;
  /** Folder of the guests' own sockets. */
  readonly umlFolder: string;
}

/** How a node went. */
export interface LeaveResult {
  readonly node: number;
  readonly end: NodeEnd | 'stays';
  readonly milliseconds: number;
}

/** How long a kernel may take to stop that is told to, in milliseconds. */
const HALT_MILLISECONDS = 3000;

/**
 * Shuts nodes down. The first one goes last: until then there is one who takes over what a node leaves behind that does
 * not go in good order.
 */
export async function leave(
  nodes: readonly ClusterNode[],
  options: LeaveOptions,
  listener: ClusterListener,
): Promise<LeaveResult[]> {
  if (options.now) return Promise.all(nodes.map((node) => end(node, options, listener)));
  const [first, ...others] = nodes;
  const results = await Promise.all(others.map((node) => end(node, options, listener)));
  if (first !== undefined) results.push(await end(first, options, listener));
  return results;
}

async function end(
  node: ClusterNode,
  options: LeaveOptions,
  listener: ClusterListener,
): Promise<LeaveResult> {
  const start = performance.now();
  node.isLeaving = true;
  listener({ type: 'node-leaving', node: node.name });
  let gone = options.now ? false : await shutDown(node, options);
  if (!gone && !options.now) gone = await halt(node, options);
  if (!gone) gone = await node.kill('killed');
  const result = {
    node: node.number,
    end: gone ? (node.end ?? 'killed') : ('stays' as const),
    milliseconds: performance.now() - start,
  };
  listener({
    type: 'node-ended',
    node: node.name,
    how: options.now && gone ? 'cut' : result.end,
    milliseconds: result.milliseconds,
  });
  return result;
}

/** Asks the node's init. False when it is not gone in time. */
async function shutDown(node: ClusterNode, { milliseconds, umlFolder }: LeaveOptions): Promise<boolean> {
  // One that is not up is in the middle of everything: nothing of it can be asked.
  if (!node.has('ready')) return false;
  if (node.agent === undefined) await mconsole(node, 'cad', umlFolder);
  else if (node.agent.isThere) {
    const command = node.agent.run(['shutdown', '-h', 'now'], { onOutput: (_, __, taken) => taken() });
    command.endInput();
  } else return false;
  return node.endsWithin(milliseconds);
}

/** Stops the kernel: for the others that is a crash. */
async function halt(node: ClusterNode, { umlFolder }: LeaveOptions): Promise<boolean> {
  await mconsole(node, 'halt', umlFolder);
  return node.endsWithin(HALT_MILLISECONDS);
}

/** Sends a command to the kernel's own console for the host. That a node does not answer is no fault here. */
async function mconsole(node: ClusterNode, command: string, umlFolder: string): Promise<void> {
  const program = findProgram('uml_mconsole');
  if (program === undefined) return;
  await new Promise<void>((resolve) => {
    const child = spawn(program, [`${umlFolder}/${node.name}/mconsole`, command], {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: 'ignore',
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), HALT_MILLISECONDS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    child.once('error', done);
    child.once('exit', done);
  });
}
