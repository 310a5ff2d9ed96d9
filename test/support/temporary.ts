import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished, TestRunner } from 'vitest';

/**
 * A folder for the test that asks for it, or for all of a file or `describe`, removed when that is done. Not for `beforeAll`: what is
 * registered there to be done in the end vitest forgets.
 */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ssi-images-test-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  // vitest takes no afterAll inside of a test, and says nothing.
  if (TestRunner.getCurrentTest() === undefined) afterAll(remove);
  else onTestFinished(remove);
  return folder;
}
