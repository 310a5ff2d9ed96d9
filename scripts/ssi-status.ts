#!/usr/bin/env node
import { ClusterConnection } from '../pipelines/nodes/control-client.js';
import { knownClusters, placesOf } from '../pipelines/nodes/places.js';
import { isSupervised } from '../pipelines/nodes/supervisor-state.js';
import { clusterCommand, type NameOption } from './cluster/command.js';
import { statusText } from './cluster/status-text.js';
import { writeOut } from './command-line/output.js';
import { ExitCode } from './command-line/run.js';

interface Options extends NameOption {
  readonly json?: boolean;
}

await clusterCommand(
  'ssi-status',
  'The clusters that run: nodes, uptime, memory, membership, lockspace.',
  (command, finish) => {
    command
      .option('--json', 'one JSON object for each cluster')
      .action(async (options: Options) => finish(await status(options)));
  },
);

async function status({ name, json }: Options): Promise<number> {
  const names = name === undefined ? knownClusters() : [name];
  const places = names.map(placesOf).filter(isSupervised);
  let shown = 0;
  for (const each of places) {
    const connection = await ClusterConnection.open(each);
    const result = await connection?.request({ type: 'status' });
    if (result?.kind !== 'status') continue;
    await writeOut(
      json === true
        ? `${JSON.stringify(result.status)}\n`
        : `${shown === 0 ? '' : '\n'}${statusText(result.status)}`,
    );
    shown += 1;
  }
  if (shown === 0 && json !== true)
    await writeOut(`${name ?? 'no cluster'} is ${name === undefined ? '' : 'not '}running\n`);
  return shown === 0 && name !== undefined ? ExitCode.failed : ExitCode.done;
}
