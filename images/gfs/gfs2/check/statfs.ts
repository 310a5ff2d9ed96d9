import { readUint64BE } from '../../../bytes/integers.js';
import { DINODE_BYTES } from '../../constants.js';
import { readNextInodeNumber, readStatfs } from '../statfs.js';
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

/** Checks that no number an inode has will be given to another one (§6). */
export function checkInodeNumbers(context: Gfs2CheckContext, files: SystemFiles): void {
  const { image, faults, highestFormal, formalNumbers } = context;
  const next = readNextInodeNumber(image, files.inodeNumbers);
  if (!(next > highestFormal) || !Number.isFinite(next)) {
    faults.add(
      'inode-numbers',
      files.inodeNumbers,
      `the next inode number is ${next}, and there is an inode with the number ${highestFormal}`,
    );
  }
  for (const [node, { inodeRange }] of files.nodes.entries()) {
    const { block } = image.readDinode(inodeRange, "the filesystem's own files");
    const start = readUint64BE(block, DINODE_BYTES);
    const length = readUint64BE(block, DINODE_BYTES + 8);
    const given = length === 0 ? undefined : [...formalNumbers.keys()].find((n) => n >= start && n < start + length);
    if (given !== undefined || (length > 0 && start + length > next)) {
      faults.add(
        'inode-numbers',
        inodeRange,
        `node ${node} gives the numbers from ${start} on to ${length} inodes, ${given === undefined ? `and other nodes those from ${next} on` : `and there is an inode with the number ${given}`}`,
      );
    }
  }
}
