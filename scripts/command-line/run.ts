import { DiagnosticError, formatDiagnostic, printable } from '../../images/diagnostic.js';

/** Exit codes of every command (the contract: 0 done, 1 failed, 2 wrong usage or recipe, 4 fsck found faults). */
export const ExitCode = { done: 0, failed: 1, usage: 2, faultsFound: 4, interrupted: 130 } as const;

/** The exit code for what was thrown: derived from the diagnostics in this one place. */
function exitCodeOf(error: unknown): number {
  if (!(error instanceof DiagnosticError)) return ExitCode.failed;
  const kinds = error.diagnostics.map(({ kind }) => kind);
  if (kinds.includes('interrupted')) return ExitCode.interrupted;
  return kinds.some((kind) => kind === 'usage' || kind === 'recipe') ? ExitCode.usage : ExitCode.failed;
}

/** Prints what was thrown: a user's error as it is, a bug with a way to find out more. */
function printError(error: unknown, debug: boolean): void {
  const lines: string[] = [];
  if (error instanceof DiagnosticError) lines.push(...error.diagnostics.map(formatDiagnostic));
  else {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    lines.push(`internal error: ${printable(message)}`);
    if (!debug) lines.push('  This is a bug. Run it again with --debug for the stack, and report it.');
  }
  if (debug && error instanceof Error) lines.push(error.stack ?? '');
  process.stderr.write(`${lines.join('\n')}\n`);
}

const interruption = new AbortController();

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
export const interruptionSignal = interruption.signal;

/**
 * Runs a command to its end and sets the exit code. The first signal asks it to stop, which undoes what is half
 * done; the second one ends the process at once.
 */
export async function runCommand(body: () => Promise<number>): Promise<void> {
  const debug = process.argv.includes('--debug');
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(ExitCode.interrupted);
      interruption.abort();
    });
  }
  // A reader that closes early (`| head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitCode.done);
    printError(error, debug);
    process.exit(ExitCode.failed);
  });
  try {
    process.exitCode = await body();
  } catch (error) {
    printError(error, debug);
    process.exitCode = exitCodeOf(error);
  }
}
