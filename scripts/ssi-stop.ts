#!/usr/bin/env node
import { hostError } from '../images/diagnostic.js';
import { ClusterConnection, placesMeant } from '../pipelines/nodes/control-client.js';
import { clearLeftovers } from '../pipelines/nodes/leftovers.js';
import { knownClusters, placesOf } from '../pipelines/nodes/places.js';
import { ClusterPresenter } from './cluster/cluster-presenter.js';
import { clusterCommand, type NameOption, parseSeconds } from './cluster/command.js';
import { writeOut } from './command-line/output.js';
import { ExitCode, interruptionSignal } from './command-line/run.js';

interface Options extends NameOption {
  readonly now?: boolean;
  readonly timeout: string;
}

await clusterCommand(
  'ssi-stop',
  'Shut a cluster down: every node leaves it in good order, the first one last.',
  (command, finish) => {
    command
      .option('--now', 'end all nodes at once, as if their power went')
      .option('--timeout <SECONDS>', 'how long a node may take to shut down before it is ended', '30')
      .action(async (options: Options) => finish(await stop(options)));
  },
);

async function stop(options: Options): Promise<number> {
  const milliseconds = parseSeconds(options.timeout, '--timeout');
  const places = placesMeant(options.name);
  const connection = await ClusterConnection.open(places);
  if (connection === undefined) {
    const names = options.name === undefined ? knownClusters() : [places.name];
    for (const name of names) await clearLeftovers(placesOf(name));
    await writeOut(
      options.name === undefined ? 'no cluster is running\n' : `${places.name}: is not running\n`,
    );
    return ExitCode.done;
  }
  const presenter = await ClusterPresenter.start();
  try {
    const result = await connection.request(
      { type: 'stop', now: options.now ?? false, milliseconds },
      { listener: presenter.listen, signal: interruptionSignal },
    );
    await presenter.end();
    const nodes = result.kind === 'stopped' ? result.nodes : [];
    await writeOut(`${places.name}: stopped\n`);
    const unclean = nodes.filter(({ end }) => end !== 'left');
    if (options.now === true || unclean.length === 0) return ExitCode.done;
    throw hostError(
      `${unclean.map(({ node }) => `node${node}`).join(', ')} did not shut down in good order`,
      'What was written last may be lost; the journals are replayed at the next start. ssi-log shows the consoles.',
    );
  } catch (error) {
    await presenter.end();
    throw error;
  }
}
