import type { Pace } from '../../images/bytes/pace.js';
import { faultText } from '../../images/gfs/check/faults.js';
import { checkGfs2 } from '../../images/gfs/gfs2/check/check.js';
import { openDevice } from '../open-image.js';

/** Faults that are shown. */
const SHOWN = 20;

/** Checks a GFS2 root that no node uses any more, as `ssi-image fsck` does. Returns a line for each fault. */
export async function rootFaults(path: string, pace: Pace): Promise<readonly string[]> {
  const device = await openDevice(path, { pace });
  try {
    const { faults, truncated } = await checkGfs2(device.source, { pace });
    const lines = faults.slice(0, SHOWN).map(faultText);
    const more = faults.length - SHOWN;
    return more > 0 ? [...lines, `… ${more}${truncated ? ' or more' : ''} more`] : lines;
  } finally {
    device.close();
  }
}
