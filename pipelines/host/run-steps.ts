import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticError, hostError } from '../../images/diagnostic.js';
import { OutputLog } from '../cluster-tools/output-log.js';
import { type ProgramEnd, runProgram } from '../cluster-tools/run-program.js';
import { hostPath } from './host-command.js';
import type { Journal } from './journal.js';
import { awaitRelease, isLoopInUse } from './loop-devices.js';
import { describeMade, deviceNumberOf, exists, identityOf, type Made } from './made.js';
import { mountsBelow } from './mounts.js';
import { type Making, SHELL_FUNCTIONS, type Step } from './step.js';
import { poolNames, undoMade } from './undo.js';

export interface RunOptions {
  /** Folder that the steps run in. */
  readonly folder: string;
  readonly journal: Journal;
  readonly signal: AbortSignal;
  /** A folder of programs that goes before the usual ones. */
  readonly tools: string | undefined;
  /** Seconds for one step. */
  readonly timeLimit: number;
  /** Puts what the build has fetched already where the steps look for it. */
  readonly input: (name: string, at: string) => Promise<void>;
  /** What the program itself does to the mounted root. */
  readonly edit: () => Promise<void>;
  /** Is told of each step before it runs. */
  readonly onStep: (step: Step) => void;
  readonly onOutput: (line: string) => void;
  /** Where everything goes that the steps print. */
  readonly log: string;
}

/**
 * Runs the steps in order. Whatever they make is written down first, and taken away in reverse order when one fails or
 * the build is interrupted. Throws a DiagnosticError with the step and the last lines that it printed.
 */
export async function runSteps(steps: readonly Step[], options: RunOptions): Promise<void> {
  const run = new Run(options);
  try {
    for (const step of steps) await run.step(step);
    run.close();
  } catch (error) {
    const faults = await run.undo();
    if (faults.length === 0 || !(error instanceof DiagnosticError)) throw error;
    const left = hostError(
      `this is left: ${faults.join('; ')}`,
      'End what uses it, then run "ssi-image doctor --clean".',
    );
    throw new DiagnosticError([...error.diagnostics, ...left.diagnostics], { cause: error });
  }
}

class Run {
  private readonly ids = new Map<string, number>();
  private readonly variables = new Map<string, string>();
  private readonly output: OutputLog;

  constructor(private readonly options: RunOptions) {
    this.output = new OutputLog(options.log, (line) => options.onOutput(line));
  }

  async step(step: Step): Promise<void> {
    const { onStep, journal, edit, input, folder } = this.options;
    onStep(step);
    if (step.makes !== undefined) await this.note(step.makes);
    if (step.by === 'edit') await edit();
    else if (step.by !== undefined) await input(step.by.input, join(folder, step.by.as));
    else await this.shell(step);
    for (const name of step.unmakes ?? []) {
      const id = this.ids.get(name);
      if (id === undefined) continue;
      await this.released(id);
      journal.noteUndone(id);
    }
  }

  /** `losetup -d`, and `umount` of what `mount -o loop` has mounted, succeed before the kernel has let go. */
  private async released(id: number): Promise<void> {
    const standing = this.options.journal.made;
    const made = standing.find((each) => each.id === id)?.made;
    const image =
      made?.kind === 'loop'
        ? made.image
        : made?.kind === 'mount' && 'image' in made.of
          ? made.of.image
          : undefined;
    if (image === undefined) return;
    const hasLoop = standing.some(
      (each) => each.id !== id && each.made.kind === 'loop' && each.made.image.path === image.path,
    );
    if (!hasLoop) await awaitRelease(image);
  }

  close(): void {
    this.output.close();
  }

  /** Takes away what stands, the latest first. Returns what could not be. */
  async undo(): Promise<string[]> {
    this.close();
    const { journal, tools } = this.options;
    const faults: string[] = [];
    for (const { id, made } of journal.made) {
      try {
        await undoMade(made, tools);
        journal.noteUndone(id);
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error;
        faults.push(`${describeMade(made)} (${error.diagnostics[0]?.message ?? ''})`);
      }
    }
    return faults;
  }

  private async note(making: Making): Promise<void> {
    const made = this.madeOf(making);
    await checkFree(made);
    this.ids.set(making.id, this.options.journal.note(made));
  }

  private madeOf(making: Making): Made {
    // A link is looked through: the kernel shows a loop device's file under its real name.
    const file = (name: string) => identityOf(realpathSync(join(this.options.folder, name)));
    switch (making.kind) {
      case 'folder':
        return { kind: 'folder', path: making.path };
      case 'loop': {
        const { device } = making;
        return { kind: 'loop', image: file(making.file), ...(device === undefined ? {} : { device }) };
      }
      case 'mount': {
        const of =
          'file' in making ? { image: file(making.file) } : { number: deviceNumberOf(making.device) };
        return { kind: 'mount', target: making.target, of };
      }
      case 'pools':
        return { kind: 'pools', names: making.names, images: making.files.map(file) };
    }
  }

  private async shell(step: Step): Promise<void> {
    const { folder, signal, tools, timeLimit } = this.options;
    const save = step.sets === undefined ? '' : `\nprintf %s "$${step.sets}" >${step.sets}.variable`;
    const end = await runProgram(['/bin/sh', '-c', `${SHELL_FUNCTIONS}${step.text}${save}`], {
      cwd: folder,
      environment: {
        PATH: hostPath(tools),
        LC_ALL: 'C',
        HOME: folder,
        ...Object.fromEntries(this.variables),
      },
      timeLimit,
      signal,
      onOutput: (chunk) => this.output.write(chunk),
    });
    if (end.kind !== 'exit' || end.code !== 0) throw this.failure(step, end);
    const variable = join(folder, `${step.sets}.variable`);
    if (step.sets !== undefined && existsSync(variable))
      this.variables.set(step.sets, readFileSync(variable, 'utf8').trim());
  }

  private failure({ section, title, text }: Step, end: ProgramEnd): DiagnosticError {
    const how =
      end.kind === 'time limit'
        ? `did not end within ${this.options.timeLimit} seconds`
        : end.kind === 'exit'
          ? `failed with exit code ${end.code}`
          : `was killed by ${end.signal}`;
    const command = text.split('\n').slice(0, 3);
    return new DiagnosticError({
      kind: 'host',
      message: `step ${section}, "${title}", ${how}`,
      excerpt: [...command.map((line) => `# ${line}`), ...this.output.lastLines],
      hint: `Everything that was printed is in ${this.options.log}.`,
    });
  }
}

/** What is to be made must not be there: it would be somebody else's. */
async function checkFree(made: Made): Promise<void> {
  switch (made.kind) {
    case 'folder':
      if (exists(made.path))
        throw hostError(
          `${made.path} is there already`,
          'Remove it, or choose another place with --mount-point.',
        );
      return;
    case 'loop':
      if (made.device !== undefined && (await isLoopInUse(made.device)))
        throw hostError(
          `${made.device} is in use`,
          'Release it, or name another device in the recipe: --set pools… or a recipe of your own.',
        );
      return;
    case 'mount':
      if (mountsBelow(made.target).length > 0)
        throw hostError(
          `something is mounted at or below ${made.target} already`,
          'Unmount it, or choose another place with --mount-point.',
        );
      return;
    case 'pools':
      if (poolNames().length > 0)
        throw hostError(
          `this host has pools already: ${poolNames().join(', ')}`,
          '"passemble -r all" would remove them too: remove them first.',
        );
  }
}
