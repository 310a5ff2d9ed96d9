#!/usr/bin/env node
import { clusterCommand, connectToRunning, type NameOption, parseNode } from './cluster/command.js';
import { ExitCode } from './command-line/run.js';

await clusterCommand(
  'ssi-rm',
  'Crash nodes, as if their power went: the others are not told, they have to find out.',
  (command, finish) => {
    command
      .argument('<N...>', 'numbers of the nodes')
      .action(async (nodes: string[], options: NameOption) => {
        const numbers = nodes.map(parseNode);
        const { connection } = await connectToRunning(options);
        await connection.request({ type: 'crash', nodes: numbers });
        finish(ExitCode.done);
      });
  },
);
