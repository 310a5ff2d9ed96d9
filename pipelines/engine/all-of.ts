import { DiagnosticError } from '../../images/diagnostic.js';

/** Waits for all, also when one fails: nothing goes on behind the back of who reports the failure. */
export async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  const failed = settled.filter((result) => result.status === 'rejected');
  const isInterruption = (error: unknown): boolean =>
    error instanceof DiagnosticError && error.diagnostics.some(({ kind }) => kind === 'interrupted');
  const worst = failed.find(({ reason }) => !isInterruption(reason)) ?? failed[0];
  if (worst !== undefined) throw worst.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
}
