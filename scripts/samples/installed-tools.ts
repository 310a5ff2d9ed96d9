import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Pace } from '../../images/bytes/pace.js';
import { writeCpio } from '../../images/cpio/writer.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import { installClusterTools } from '../../pipelines/cluster-tools/install.js';
import { withoutOwnership } from '../../pipelines/engine/directory-input.js';
import { baseTree } from './base-tree.js';
import { readDescription } from './description.js';

/**
 * Runs the make rule of the cluster-tools sample for the sample's base, which lie in `folder` (`recipes/sample`), and
 * returns what it installed as a cpio archive: for hosts that can't run it.
 */
export async function installedTools(folder: string, scratch: string): Promise<Buffer> {
  const base = join(folder, 'base');
  const pace = new Pace();
  const { overlay, warnings } = await installClusterTools({
    base: baseTree(base, readDescription(base)),
    source: withoutOwnership(await treeOfDirectory(join(folder, 'cluster-tools'), pace)),
    rule: 'install_ssi_redhat',
    needs: [],
    work: mkdtempSync(join(resolve(scratch), 'make-')),
    epoch: 0,
    timeLimit: 60,
  });
  if (warnings[0] !== undefined) throw new Error(warnings[0].message);
  const pieces: Buffer[] = [];
  const stream = { write: (bytes: Uint8Array): void => void pieces.push(Buffer.from(bytes)) };
  const { notKept } = await writeCpio(stream, overlay, { pace });
  if (notKept[0] !== undefined) throw new Error(`cpio does not hold ${notKept[0].what}`);
  return Buffer.concat(pieces);
}
