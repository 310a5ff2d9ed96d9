#!/usr/bin/env node
import { ClusterPresenter } from './cluster/cluster-presenter.js';
import {
  clusterCommand,
  connectToRunning,
  type NameOption,
  parseNode,
  parseSeconds,
} from './cluster/command.js';
import { writeOut } from './command-line/output.js';
import { ExitCode, interruptionSignal } from './command-line/run.js';

interface Options extends NameOption {
  readonly timeout: string;
}

await clusterCommand(
  'ssi-add',
  'Start further nodes of a cluster that runs; those that are up are passed over.',
  (command, finish) => {
    command
      .argument('<N...>', 'numbers of the nodes')
      .option('--timeout <SECONDS>', 'how long a node may take to be ready', '120')
      .action(async (nodes: string[], options: Options) => finish(await add(nodes.map(parseNode), options)));
  },
);

async function add(nodes: number[], options: Options): Promise<number> {
  const milliseconds = parseSeconds(options.timeout, '--timeout');
  const { connection, places } = await connectToRunning(options);
  const presenter = await ClusterPresenter.start();
  try {
    const result = await connection.request(
      { type: 'add', nodes, milliseconds },
      { listener: presenter.listen, signal: interruptionSignal },
    );
    await presenter.end();
    if (result.kind === 'nodes') {
      const some = result.started.length === 0 ? 'nothing to do' : `${result.started.length} started`;
      await writeOut(
        `${places.name}: ${result.up.length} ${result.up.length === 1 ? 'node is' : 'nodes are'} up (${result.up.join(', ')}), ${some}\n`,
      );
    }
    return ExitCode.done;
  } catch (error) {
    await presenter.end();
    throw error;
  }
}
