#!/usr/bin/env node
import { usageError } from '../images/diagnostic.js';
import { clusterCommand, connectToRunning, type NameOption, parseNode } from './cluster/command.js';
import { ExitCode } from './command-line/run.js';

/** Ctrl-], as telnet has it. */
const DETACH = 0x1d;

await clusterCommand('ssi-console', 'Attach this terminal to the console of a node.', (command, finish) => {
  command
    .argument('<N>', 'number of the node')
    .action(async (node: string, options: NameOption) => finish(await attach(parseNode(node), options)));
});

async function attach(node: number, options: NameOption): Promise<number> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY)
    throw usageError(
      'ssi-console needs a terminal',
      'Without one: ssi-log shows a console, ssi-exec runs commands.',
    );
  const { connection } = await connectToRunning(options);
  const detached = new AbortController();
  const restore = (): void => {
    if (stdin.isRaw) stdin.setRawMode(false);
  };
  process.on('exit', restore);
  try {
    await connection.request(
      { type: 'console', node },
      {
        signal: detached.signal,
        onAttached: () => {
          stdout.write(`\r\n[node${node}: Ctrl-] detaches]\r\n`);
          stdin.setRawMode(true);
          stdin.on('data', (bytes: Buffer) => {
            const end = bytes.indexOf(DETACH);
            void connection.input(end < 0 ? bytes : bytes.subarray(0, end));
            if (end >= 0) detached.abort();
          });
        },
        onOutput: (_, bytes) => {
          if (stdout.write(bytes)) return undefined;
          return new Promise((resolve) => stdout.once('drain', resolve));
        },
      },
    );
  } catch (error) {
    if (!detached.signal.aborted) throw error;
  } finally {
    restore();
    stdin.destroy();
    connection.close();
  }
  // What the guest has set, this terminal need not keep: attributes, the cursor, the other screen.
  stdout.write(
    `\x1b[0m\x1b[?25h\x1b[?1049l\r\n${detached.signal.aborted ? 'Detached' : 'The console has ended'}.\n`,
  );
  return ExitCode.done;
}
