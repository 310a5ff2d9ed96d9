import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { usageError } from '../../images/diagnostic.js';
import { requireProgram } from '../../pipelines/program-folders.js';

export type ConsoleStyle = 'tmux' | 'xterm' | 'none';

const CONSOLE = fileURLToPath(new URL('../ssi-console.js', import.meta.url));

/** What --consoles says. Throws a DiagnosticError when this host has no such windows. */
export function parseConsoleStyle(text: string): ConsoleStyle {
  if (text === 'none') return text;
  if (text !== 'tmux' && text !== 'xterm')
    throw usageError(`--consoles: "${text}" is not known`, 'It can be tmux, xterm or none.');
  requireProgram(text);
  if (text === 'xterm' && (process.env.DISPLAY ?? '') === '')
    throw usageError('--consoles xterm: there is no X server', 'Set DISPLAY, or use --consoles tmux.');
  return text;
}

/** Opens a window for the console of each node. Returns what the user should know about them. */
export function openConsoles(
  style: ConsoleStyle,
  cluster: string,
  nodes: readonly number[],
): string | undefined {
  if (style === 'none' || nodes.length === 0) return undefined;
  const commandOf = (node: number): string[] => [process.execPath, CONSOLE, '--name', cluster, `${node}`];
  if (style === 'xterm') {
    for (const node of nodes)
      spawn('xterm', ['-T', `${cluster} node${node}`, '-e', ...commandOf(node)], {
        detached: true,
        stdio: 'ignore',
      })
        .on('error', () => {})
        .unref();
    return undefined;
  }
  const session = `ssi-${cluster}`.replace(/[.:]/g, '_');
  for (const node of nodes) {
    const exists = spawnSync('tmux', ['has-session', '-t', `=${session}`], { stdio: 'ignore' }).status === 0;
    const where = exists ? ['new-window', '-d', '-t', `=${session}:`] : ['new-session', '-d', '-s', session];
    spawnSync('tmux', [...where, '-n', `node${node}`, ...commandOf(node)], { stdio: 'ignore' });
  }
  return `consoles: tmux attach -t ${session}`;
}
