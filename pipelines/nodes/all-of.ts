import { type Diagnostic, DiagnosticError } from '../../images/diagnostic.js';

/** Waits for all, and throws everything that went wrong with any, as one DiagnosticError. */
export async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const faults: Diagnostic[] = [];
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'fulfilled') continue;
    if (!(result.reason instanceof DiagnosticError)) throw result.reason;
    faults.push(...result.reason.diagnostics);
  }
  if (faults.length > 0) throw new DiagnosticError(faults);
}
