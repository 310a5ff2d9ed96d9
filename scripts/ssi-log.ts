#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { hostError } from '../images/diagnostic.js';
import { placesMeant } from '../pipelines/nodes/control-client.js';
import { followLog } from '../pipelines/nodes/follow-log.js';
import { consoleLogPath } from '../pipelines/nodes/places.js';
import { clusterCommand, type NameOption, parseNode } from './cluster/command.js';
import { writeOut } from './command-line/output.js';
import { ExitCode, interruptionSignal } from './command-line/run.js';

interface Options extends NameOption {
  readonly follow?: boolean;
}

await clusterCommand(
  'ssi-log',
  'What the console of a node has shown since its start.',
  (command, finish) => {
    command
      .argument('<N>', 'number of the node, or lock-server')
      .option('-f, --follow', 'go on with what it shows from now on')
      .action(async (node: string, options: Options) => {
        const places = placesMeant(options.name);
        const path = consoleLogPath(places, node === 'lock-server' ? node : parseNode(node));
        if (!existsSync(path))
          throw hostError(`the node has shown nothing yet: it was never started`, undefined, { file: path });
        // On a terminal what the guest shows must not steer it.
        const safe = process.stdout.isTTY;
        await followLog(path, {
          follow: options.follow ?? false,
          signal: interruptionSignal,
          onBytes: async (bytes) => writeOut(safe ? harmless(bytes) : bytes),
        });
        finish(ExitCode.done);
      });
  },
);

/** All but line ends and tabs as what a terminal shows only. */
function harmless(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replace(/\r+\n/g, '\n')
    .replace(/(?![\n\t])\p{Cc}/gu, '');
}
