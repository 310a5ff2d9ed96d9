// The process that has a cluster: ssi-start runs it in the background. No command for people.
import { DiagnosticError } from '../images/diagnostic.js';
import type { Reply } from '../pipelines/nodes/control-messages.js';
import { placesOf } from '../pipelines/nodes/places.js';
import { Supervisor } from '../pipelines/nodes/supervisor.js';

/** Tells the command that started this how it went, and closes the line to it. */
function answer(reply: Reply): Promise<void> {
  return new Promise((resolve) => process.stdout.end(`${JSON.stringify(reply)}\n`, resolve));
}

process.umask(0o077);
process.stdout.on('error', () => {});
// The terminal that it was started from may go.
process.on('SIGHUP', () => {});
try {
  const supervisor = await Supervisor.open(placesOf(process.argv[2] ?? ''), () => process.exit());
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (supervisor === undefined) process.exit(1);
      void supervisor.shutDown();
    });
  await answer({ type: 'done', result: { kind: 'nothing' } });
  if (supervisor === undefined) process.exit();
} catch (error) {
  if (!(error instanceof DiagnosticError)) throw error;
  await answer({ type: 'failed', diagnostics: error.diagnostics });
  process.exit(1);
}
