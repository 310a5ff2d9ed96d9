import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiagnosticError } from '../../images/diagnostic.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { chooseSandbox } from '../cluster-tools/sandbox.js';
import { type Finding, ok, warning } from './finding.js';

const TOPIC = 'make rules';

/** In what make rules would run here: chosen as a build chooses it, by trying. */
export async function sandboxFinding(): Promise<Finding> {
  let work: string | undefined;
  try {
    work = mkdtempSync(join(tmpdir(), 'ssi-images-doctor-'));
    const folder = (name: string): string => {
      const path = join(work ?? '', name);
      mkdirSync(path);
      return path;
    };
    const folders = {
      source: folder('source'),
      root: folder('root'),
      state: folder('state'),
      scratch: folder('scratch'),
    };
    const base = new TreeBuilder().build();
    const { kind, ownership } = await chooseSandbox({ folders, base, epoch: 0, without: [] });
    const owners = ownership === 'fakeroot' ? 'under fakeroot' : 'without fakeroot';
    if (kind !== 'none') return ok(TOPIC, `they run in a sandbox (${kind}), ${owners}`);
    return warning(
      TOPIC,
      `they run without a sandbox, ${owners}`,
      'Install bubblewrap (Debian package bubblewrap); inside a container, allow it user namespaces.',
    );
  } catch (error) {
    const isOfHost =
      error instanceof DiagnosticError || (error as NodeJS.ErrnoException).syscall !== undefined;
    if (!isOfHost) throw error;
    const message =
      error instanceof DiagnosticError ? error.diagnostics[0]?.message : (error as Error).message;
    return warning(TOPIC, `they can not run: ${message}`, 'See the other lines.');
  } finally {
    if (work !== undefined) rmSync(work, { recursive: true, force: true });
  }
}
