import { DiagnosticError } from '../../diagnostic.js';
import type { Rule } from './rules.js';

/** Something that breaks a rule of the format. */
export interface Fault {
  readonly rule: Rule;
  readonly message: string;
  readonly block?: number;
  /** Of the inode or directory; in parentheses the name of one of the filesystem's own files. */
  readonly path?: string;
}

/** Gathers faults up to a limit, after which the check ends early. */
export class FaultList {
  readonly faults: Fault[] = [];
  truncated = false;

  constructor(private readonly limit: number) {}

  add(rule: Rule, block: number | undefined, message: string, path?: string): void {
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
  attempt<T>(rule: Rule, block: number | undefined, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DiagnosticError) || error.diagnostics.some(({ kind }) => kind !== 'image'))
        throw error;
      for (const { message, location } of error.diagnostics)
        this.add(rule, location?.block ?? block, message);
      return undefined;
    }
  }
}
