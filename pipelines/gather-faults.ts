import { type Diagnostic, DiagnosticError } from '../images/diagnostic.js';

/** Does all of the checks, and throws everything that went wrong with any, as one DiagnosticError. */
export function gatherFaults(checks: readonly (() => unknown)[]): void {
  const faults: Diagnostic[] = [];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      faults.push(...error.diagnostics);
    }
  }
  if (faults.length > 0) throw new DiagnosticError(faults);
}

/** The same for work that goes on at the same time: waits for all of it. */
export async function gatherFaultsOf(works: readonly Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(works);
  gatherFaults(
    settled.map((result) => () => {
      if (result.status === 'rejected') throw result.reason;
    }),
  );
}
