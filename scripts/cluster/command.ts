import { Command, CommanderError } from 'commander';
import { hostError, usageError } from '../../images/diagnostic.js';
import { ClusterConnection, placesMeant } from '../../pipelines/nodes/control-client.js';
import type { ClusterPlaces } from '../../pipelines/nodes/places.js';
import { ExitCode, runCommand } from '../command-line/run.js';
import { parseInteger } from '../command-line/values.js';
import { packageVersion } from '../command-line/version.js';

/** Which cluster is meant. */
export interface NameOption {
  readonly name?: string;
}

/**
 * Runs one of the commands that have to do with a cluster. `define` adds arguments, options and what is done; whatever that
 * gives to `finish` is the exit code.
 */
export async function clusterCommand(
  name: string,
  description: string,
  define: (command: Command, finish: (code: number) => void) => void,
): Promise<void> {
  await runCommand(async () => {
    let exitCode: number = ExitCode.done;
    const command = new Command(name)
      .description(description)
      .version(packageVersion())
      .option('--debug', 'show stack traces of errors')
      .option('--name <NAME>', 'which cluster: the one that runs, where there is only one')
      .showSuggestionAfterError()
      .showHelpAfterError(`(see "${name} --help")`)
      .exitOverride();
    define(command, (code) => {
      exitCode = code;
    });
    try {
      await command.parseAsync(process.argv);
    } catch (error) {
      // Commander has printed the message; help and version are no errors.
      if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
      throw error;
    }
    return exitCode;
  });
}

/** A node's number as it stands on a command line. Whether there is such a node is for the cluster to say. */
export function parseNode(text: string): number {
  const number = parseInteger(text, 'node');
  if (number >= 1 && number <= 255) return number;
  throw usageError(`there is no node ${text}`, 'Nodes have the numbers 1 to 15.');
}

/** Seconds as milliseconds. */
export function parseSeconds(text: string, option: string): number {
  const seconds = parseInteger(text, option);
  if (seconds >= 1 && seconds <= 24 * 3600) return seconds * 1000;
  throw usageError(`${option}: "${text}" can't be`, 'It can be 1 to 86400 seconds.');
}

/** Connects to the cluster that is meant. Throws a DiagnosticError when it does not run. */
export async function connectToRunning({
  name,
}: NameOption): Promise<{ connection: ClusterConnection; places: ClusterPlaces }> {
  const places = placesMeant(name);
  const connection = await ClusterConnection.open(places);
  if (connection === undefined)
    throw hostError(`the cluster ${places.name} is not running`, 'Start it: ssi-start.');
  return { connection, places };
}
