import { type Installed, installClusterTools } from '../../../pipelines/cluster-tools/install.js';
import { linesOf } from './installing.js';
import { smallBase } from './small-base.js';

/**
 * Run by another user: `install-and-list.js SOURCE RULE WORK WITHOUT…` installs on the small base and prints a line of
 * facts, then the overlay; or the message of the failure.
 */
const [source = '', rule = '', work = '', ...without] = process.argv.slice(2);
const controller = new AbortController();
process.on('SIGINT', () => controller.abort());
try {
  const installed: Installed = await installClusterTools({
    ...{ base: smallBase(), source, rule, needs: [], work, epoch: 1_030_000_000, timeLimit: 60, without },
    signal: controller.signal,
    onOutput: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(`${JSON.stringify(installed.facts)}\n`);
  for (const line of await linesOf(installed.overlay)) process.stdout.write(`${line}\n`);
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
