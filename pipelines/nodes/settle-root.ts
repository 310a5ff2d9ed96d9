import type { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { type Settled, settleGfs2 } from '../../images/gfs/gfs2/settle.js';
import { openWritable } from '../writable-image.js';
import type { ClusterListener } from './cluster-events.js';
import type { PreparedCluster } from './prepared-cluster.js';

/**
 * Puts right what a node's crash leaves in the root, and no node puts right (images/gfs/gfs2/settle.ts). For when no node is
 * left. That it can't is told, and is no fault of the stop.
 */
export async function settleRoot(
  { image, root }: PreparedCluster,
  afterCrash: boolean,
  pace: Pace,
  listener: ClusterListener,
): Promise<void> {
  if (image.kind !== 'gfs2') return;
  try {
    const opened = openWritable(root);
    let settled: Settled;
    try {
      settled = await settleGfs2(opened, afterCrash, pace);
      opened.close();
    } catch (error) {
      opened.abandon();
      throw error;
    }
    const { freed, statfs } = settled;
    const what = [
      ...(freed === 0 ? [] : [`${freed} lost ${freed === 1 ? 'block' : 'blocks'} freed`]),
      ...(statfs ? ['sum of free blocks corrected'] : []),
    ];
    if (what.length > 0) listener({ type: 'note', message: `${root}: after a crash: ${what.join(', ')}` });
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    listener({
      type: 'note',
      message: `${root}: ${error.diagnostics.map(({ message }) => message).join('; ')}`,
      hint: `Look at it: ssi-image fsck ${root}`,
    });
  }
}
