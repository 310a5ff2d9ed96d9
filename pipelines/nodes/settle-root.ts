import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { settleStatfs } from '../../images/gfs/gfs2/settle-statfs.js';
import { openWritable } from '../writable-image.js';
import type { ClusterListener } from './cluster-events.js';
import type { PreparedCluster } from './prepared-cluster.js';

/**
 * Puts in order what a node's crash leaves in the root that no node puts in order: the sum of free blocks that df shows.
 * For when no node is left. That it can't is told, and is no fault of the stop.
 */
export async function settleRoot(
  { image, root }: PreparedCluster,
  pace: Pace,
  listener: ClusterListener,
): Promise<void> {
  if (image.kind !== 'gfs2') return;
  try {
    const opened = openWritable(root);
    let isChanged = false;
    try {
      isChanged = await settleStatfs(opened, pace);
      opened.close();
    } catch (error) {
      opened.abandon();
      throw error;
    }
    if (isChanged)
      listener({
        type: 'note',
        message: `${root}: the sum of free blocks was off after a crash; it is right again`,
      });
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    listener({
      type: 'note',
      message: `${root}: ${error.diagnostics.map(({ message }) => message).join('; ')}`,
      hint: `Look at it: ssi-image fsck ${root}`,
    });
  }
}
