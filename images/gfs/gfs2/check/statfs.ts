import { readStatfs } from '../statfs.js';
import type { SystemFiles } from '../system-files.js';
import type { Gfs2CheckContext } from './context.js';
import type { GroupTotals } from './resource-groups.js';

/** Checks that the statfs file and what nodes changed of it tell what there is (docs/gfs2-format.md §6). */
export function checkStatfs(context: Gfs2CheckContext, files: SystemFiles, found: GroupTotals): void {
  const { image, faults } = context;
  const told = { ...readStatfs(image, files.statfs) };
  for (const { statfsChange } of files.nodes) {
    const change = readStatfs(image, statfsChange);
    told.total += change.total;
    told.free += change.free;
    told.dinodes += change.dinodes;
  }
  for (const name of ['total', 'free', 'dinodes'] as const) {
    if (told[name] === found[name]) continue;
    const what = { total: 'blocks', free: 'free blocks', dinodes: 'dinodes' }[name];
    faults.add('statfs-value', files.statfs, `statfs tells ${told[name]} ${what}, there are ${found[name]}`);
  }
}
