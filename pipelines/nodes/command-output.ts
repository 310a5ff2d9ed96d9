import type { NodeAgent } from './agent.js';

/** What is kept of a command's output. */
const OUTPUT_BYTES_MAX = 64 * 1024;

/** Runs a short command in a node; its standard output, or undefined when it fails or is not done in time. */
export async function commandOutput(
  agent: NodeAgent | undefined,
  command: readonly string[],
  milliseconds: number,
): Promise<string | undefined> {
  if (agent?.isThere !== true) return undefined;
  let output = '';
  let timer: NodeJS.Timeout | undefined;
  try {
    const running = agent.run(command, {
      onOutput: (stream, bytes, taken) => {
        if (stream === 1 && output.length < OUTPUT_BYTES_MAX) output += bytes.toString('utf8');
        taken();
      },
    });
    running.endInput();
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        running.signal('KILL');
        resolve(undefined);
      }, milliseconds);
    });
    const end = await Promise.race([running.end, late]);
    return end?.kind === 'exit' && end.code === 0 ? output : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
