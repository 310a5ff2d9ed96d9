#!/usr/bin/env node
import { constants } from 'node:os';
import type { Result } from '../pipelines/nodes/control-messages.js';
import { clusterCommand, connectToRunning, type NameOption, parseNode } from './cluster/command.js';
import { ExitCode } from './command-line/run.js';

/** What a shell adds to the number of the signal that ended a command. */
const SIGNAL_EXIT = 128;

await clusterCommand(
  'ssi-exec',
  'Run a command in a node, as root: with standard input, output, error and exit code.',
  (command, finish) => {
    command
      .argument('<N>', 'number of the node')
      .argument(
        '<CMD...>',
        'a line for the shell of the node; or a program and its arguments, which no shell sees',
      )
      .passThroughOptions()
      .action(async (node: string, words: string[], options: NameOption) =>
        finish(await execute(parseNode(node), words, options)),
      );
  },
);

async function execute(node: number, words: readonly string[], options: NameOption): Promise<number> {
  const { connection } = await connectToRunning(options);
  const [line = '', ...others] = words;
  const command = others.length === 0 ? ['/bin/sh', '-c', line] : [...words];
  // Signals are for the command over there: the second one ends this end of it.
  for (const [name, signal] of [
    ['SIGINT', 'INT'],
    ['SIGTERM', 'TERM'],
    ['SIGHUP', 'HUP'],
  ] as const) {
    process.removeAllListeners(name);
    process.once(name, () => {
      connection.signal(signal);
      process.once(name, () => process.exit(SIGNAL_EXIT + constants.signals[name]));
    });
  }
  process.stdin.on('error', () => {});
  const feed = async (): Promise<void> => {
    for await (const chunk of process.stdin) await connection.input(chunk as Buffer);
    await connection.input(Buffer.alloc(0));
  };
  try {
    return codeOf(
      await connection.request(
        { type: 'run', node, command },
        {
          onAttached: () => void feed().catch(() => connection.close()),
          onOutput: (stream, bytes) => {
            const target = stream === 'output' ? process.stdout : process.stderr;
            if (target.write(bytes)) return undefined;
            return new Promise((resolve) => target.once('drain', resolve));
          },
        },
      ),
    );
  } finally {
    // It would hold this up.
    process.stdin.destroy();
  }
}

function codeOf(result: Result): number {
  if (result.kind !== 'ended') return ExitCode.failed;
  return result.end.kind === 'exit' ? result.end.code : SIGNAL_EXIT + result.end.number;
}
