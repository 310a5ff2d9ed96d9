import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import type { CommandEnd } from '../nodes/agent.js';
import { ClusterConnection } from '../nodes/control-client.js';
import type { ClusterPlaces } from '../nodes/places.js';

/** Bytes of each stream that are kept: the rest is read and forgotten. */
const OUTPUT_BYTES_MAX = 1024 * 1024;

/** How long a command may take to end that is told to, and until it is given up, in milliseconds. */
const GRACE_MILLISECONDS = 500;
const END_MILLISECONDS = 3000;

/** What came of a command in a node. */
export interface CommandOutcome {
  readonly end: CommandEnd;
  readonly output: string;
  readonly errorOutput: string;
  /** Whether there was more output than is kept. */
  readonly isCut: boolean;
}

/** What a command had said when its time was up; it was ended then. */
export interface LateCommand extends Omit<CommandOutcome, 'end'> {
  readonly end: { readonly kind: 'late' };
}

export interface CommandLimits {
  readonly milliseconds: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a program in a node of a cluster, with nothing on its standard input. When its time is up it is ended, with all that
 * it has started in its process group, before this returns. Throws a
 * DiagnosticError when that can't be, when the node ends meanwhile, or on an abort.
 */
export async function runCommandInNode(
  places: ClusterPlaces,
  node: number,
  command: readonly string[],
  { milliseconds, signal }: CommandLimits,
): Promise<CommandOutcome | LateCommand> {
  const connection = await ClusterConnection.open(places);
  if (connection === undefined) throw hostError('the cluster has ended meanwhile');
  const kept = { output: new KeptText(), 'error-output': new KeptText() };
  const late = new AbortController();
  let isLate = false;
  const timers: NodeJS.Timeout[] = [];
  const after = (delay: number, work: () => void): void => void timers.push(setTimeout(work, delay));
  after(milliseconds, () => {
    isLate = true;
    connection.signal('TERM');
    after(GRACE_MILLISECONDS, () => connection.signal('KILL'));
    // A node that hangs ends nothing.
    after(END_MILLISECONDS, () => late.abort());
  });
  const said = () => ({
    output: kept.output.text(),
    errorOutput: kept['error-output'].text(),
    isCut: kept.output.isCut || kept['error-output'].isCut,
  });
  try {
    const result = await connection.request(
      { type: 'run', node, command: [...command] },
      {
        signal: AbortSignal.any([signal, late.signal]),
        onAttached: () => void connection.input(Buffer.alloc(0)),
        onOutput: (stream, bytes) => kept[stream].add(bytes),
      },
    );
    // On an abort a request that has begun ends without a result.
    if (signal.aborted) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
    if (isLate) return { end: { kind: 'late' }, ...said() };
    if (result.kind === 'ended') return { end: result.end, ...said() };
    throw hostError('the cluster has ended meanwhile');
  } catch (error) {
    if (isLate && !signal.aborted) return { end: { kind: 'late' }, ...said() };
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

/** The beginning of a stream. */
class KeptText {
  private readonly pieces: Buffer[] = [];
  private length = 0;
  isCut = false;

  add(bytes: Buffer): void {
    const piece = bytes.subarray(0, OUTPUT_BYTES_MAX - this.length);
    if (piece.length < bytes.length) this.isCut = true;
    if (piece.length === 0) return;
    // What it is a part of may be much larger.
    this.pieces.push(Buffer.from(piece));
    this.length += piece.length;
  }

  text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
