#!/usr/bin/env node
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usageError } from '../images/diagnostic.js';
import { settingsOf } from '../pipelines/nodes/cluster-settings.js';
import { connectOrLaunch } from '../pipelines/nodes/control-client.js';
import { DEFAULT_CLUSTER, placesOf } from '../pipelines/nodes/places.js';
import { findStartFile, readStartFile } from '../pipelines/nodes/start-file.js';
import { START_FILE_NAME } from '../pipelines/stages/start-file.js';
import { ClusterPresenter } from './cluster/cluster-presenter.js';
import { clusterCommand, type NameOption, parseNode, parseSeconds } from './cluster/command.js';
import { type ConsoleStyle, openConsoles, parseConsoleStyle } from './cluster/console-windows.js';
import { writeOut } from './command-line/output.js';
import { ExitCode, interruptionSignal } from './command-line/run.js';
import { parseSize } from './command-line/values.js';

interface Options extends NameOption {
  readonly out?: string;
  readonly mem: string;
  readonly inPlace?: boolean;
  readonly fresh?: boolean;
  readonly timeout: string;
  readonly consoles: string;
  readonly append: readonly string[];
}

const SUPERVISOR = fileURLToPath(new URL('./ssi-supervisor.js', import.meta.url));
const DEFAULT_COUNT = '3';

await clusterCommand(
  'ssi-start',
  'Start a cluster of User-Mode Linux nodes on one shared root.',
  (command, finish) => {
    command
      .argument('[N]', 'start nodes 1 to N', DEFAULT_COUNT)
      .option(
        '--out <DIR>',
        `start from a build: from DIR/${START_FILE_NAME} instead of ~/.ssiuml/${START_FILE_NAME}`,
      )
      .option('--mem <SIZE>', 'memory of each node', '256MiB')
      .option('--fresh', 'begin anew from the built root: what nodes have written before goes')
      .option('--in-place', 'let the nodes write the built root itself, and not a copy')
      .option('--timeout <SECONDS>', 'how long a node may take to be ready', '120')
      .option('--consoles <STYLE>', 'show the consoles in windows: tmux, xterm or none', 'none')
      .option('--append <WORD>', "add a word to the kernels' command lines (repeatable)", collect, [])
      .action(async (count: string, options: Options) => finish(await start(count, options)));
  },
);

async function start(count: string, options: Options): Promise<number> {
  const nodes = parseNode(count);
  const consoles = parseConsoleStyle(options.consoles);
  if (options.inPlace === true && options.fresh === true)
    throw usageError('--in-place and --fresh exclude each other');
  const milliseconds = parseSeconds(options.timeout, '--timeout');
  const file = findStartFile(START_FILE_NAME, options.out);
  const settings = settingsOf(readStartFile(file), file, {
    memoryMiB: Math.floor(parseSize(options.mem, '--mem') / 1024 ** 2),
    inPlace: options.inPlace ?? false,
    append: options.append,
  });
  const places = placesOf(
    options.name ?? (options.out === undefined ? DEFAULT_CLUSTER : basename(resolve(options.out))),
  );
  const presenter = await ClusterPresenter.start();
  try {
    const connection = await connectOrLaunch(places, SUPERVISOR);
    const result = await connection.request(
      {
        type: 'start',
        count: nodes,
        settings: { ...settings, append: [...settings.append] },
        fresh: options.fresh ?? false,
        milliseconds,
      },
      { listener: presenter.listen, signal: interruptionSignal },
    );
    await presenter.end();
    if (result.kind === 'nodes') await tell(places.name, result, consoles);
    return ExitCode.done;
  } catch (error) {
    await presenter.end();
    throw error;
  }
}

async function tell(
  name: string,
  { up, started }: { readonly up: readonly number[]; readonly started: readonly number[] },
  consoles: ConsoleStyle,
): Promise<void> {
  const some = started.length === 0 ? 'nothing to do' : `${started.length} started`;
  await writeOut(
    `${name}: ${up.length} ${up.length === 1 ? 'node is' : 'nodes are'} up (${up.join(', ')}), ${some}\n`,
  );
  const windows = openConsoles(consoles, name, started);
  if (windows !== undefined) await writeOut(`${windows}\n`);
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}
