import { DiagnosticError, printable } from '../../diagnostic.js';
import type { Gfs2Rule } from '../gfs2/check/rules.js';
import type { Rule } from './rules.js';

/** A rule of either dialect. */
export type AnyRule = Rule | Gfs2Rule;

/** Something that breaks a rule of the format. */
export interface Fault {
  readonly rule: AnyRule;
  readonly message: string;
  readonly block?: number;
  /** Of the inode or directory; in parentheses the name of one of the filesystem's own files. */
  readonly path?: string;
}

/** A fault in a line: where it is, what it is, and which rule it breaks; safe for a terminal. */
export function faultText({ rule, message, block, path }: Fault): string {
  return [
    ...(block === undefined ? [] : [`block ${block}`]),
    ...(path === undefined ? [] : [printable(path)]),
    `${printable(message)} [${rule}]`,
  ].join(': ');
}

/** Gathers faults up to a limit, after which the check ends early. */
export class FaultList {
  readonly faults: Fault[] = [];
  truncated = false;

  constructor(private readonly limit: number) {}

  add(rule: AnyRule, block: number | undefined, message: string, path?: string): void {
    if (this.faults.length >= this.limit) {
      this.truncated = true;
      return;
    }
    this.faults.push({
      rule,
      message,
      ...(block === undefined ? {} : { block }),
      ...(path === undefined ? {} : { path }),
    });
  }

  /** Runs a reader that others use too: what it throws about the image becomes a fault; what it throws about the host stays. */
  attempt<T>(rule: AnyRule, block: number | undefined, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.addThrown(rule, block, error);
      return undefined;
    }
  }

  /** The same for a reader that takes its time. */
  async attemptSlowly<T>(
    rule: AnyRule,
    block: number | undefined,
    read: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.addThrown(rule, block, error);
      return undefined;
    }
  }

  private addThrown(rule: AnyRule, block: number | undefined, error: unknown): void {
    if (!(error instanceof DiagnosticError) || error.diagnostics.some(({ kind }) => kind !== 'image'))
      throw error;
    for (const { message, location } of error.diagnostics) this.add(rule, location?.block ?? block, message);
  }
}
