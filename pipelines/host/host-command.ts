import { hostError } from '../../images/diagnostic.js';
import { runProgram } from '../cluster-tools/run-program.js';
import { PROGRAM_FOLDERS } from '../program-folders.js';

/** How long one of the short commands may take, in seconds. */
const TIME_LIMIT = 120;
const OUTPUT_MAX = 1024 * 1024;

/** Where host programs are looked for: a folder of the user's first, if there is one. */
export function hostPath(tools: string | undefined): string {
  return [...(tools === undefined ? [] : [tools]), ...PROGRAM_FOLDERS].join(':');
}

/** Runs a short program of the host. Returns its exit code and what it printed. */
export async function hostCommand(
  command: readonly string[],
  tools?: string,
): Promise<{ readonly code: number; readonly output: string }> {
  const chunks: Buffer[] = [];
  let length = 0;
  const end = await runProgram(command, {
    cwd: '/',
    environment: { PATH: hostPath(tools), LC_ALL: 'C' },
    timeLimit: TIME_LIMIT,
    onOutput: (chunk) => {
      if (length < OUTPUT_MAX) chunks.push(chunk);
      length += chunk.length;
    },
  });
  if (end.kind === 'time limit')
    throw hostError(`${command.join(' ')} did not end within ${TIME_LIMIT} seconds`);
  return { code: end.kind === 'exit' ? end.code : -1, output: Buffer.concat(chunks).toString('utf8') };
}

/** The same, for a command that has to succeed. Throws a DiagnosticError with what it printed. */
export async function hostOutput(command: readonly string[], tools?: string): Promise<string> {
  const { code, output } = await hostCommand(command, tools);
  if (code === 0) return output;
  const said = output.trim().split('\n').slice(-3).join('; ');
  throw hostError(`${command.join(' ')} failed${said === '' ? '' : `: ${said}`}`);
}
