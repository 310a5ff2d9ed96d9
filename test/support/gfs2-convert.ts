import { join } from 'node:path';
import { bareDevice } from './bare-device.js';
import { type FsckRun, fsckGfs2 } from './fsck-gfs2.js';
import { run } from './tools.js';

/** What `convertCopy` needs on the host, for `testWith`. */
export const CONVERT_TOOLS: readonly string[] = ['gfs2_convert', 'fsck.gfs2', 'cp', 'dd'];

/**
 * Turns a copy of an OpenGFS image, bare or behind a pool label, into GFS2 with gfs2_convert, and returns the path
 * of the copy in `scratch`. The converter leaves one fault, a wrong count of dinodes in the statfs file, which is
 * repaired. Throws when it, or fsck.gfs2 before or after that, has anything else to say.
 */
export function convertCopy(image: string, scratch: string): string {
  const copy = join(scratch, 'converted.gfs2');
  if (bareDevice(image, copy) === image) run('cp', ['--sparse=always', image, copy]);
  const report = run('gfs2_convert', ['-y', copy]);
  if (!report.includes('filesystem converted successfully to gfs2.'))
    throw new Error(`gfs2_convert does not say that it succeeded:\n${report}`);
  const found = fsckGfs2(copy, '-n');
  if (found.status !== 0 && !(found.status === 4 && isStatfsOnly(found, 'was not fixed'))) fail(found);
  if (found.status === 4) {
    const repaired = fsckGfs2(copy, '-y');
    if (repaired.status !== 1 || !isStatfsOnly(repaired, 'was fixed')) fail(repaired);
    const checked = fsckGfs2(copy, '-n');
    if (checked.status !== 0 || checked.reports.length > 0) fail(checked);
  }
  return copy;
}

/** Whether the only complaint is the number of dinodes in the statfs file; blocks and free blocks must agree. */
function isStatfsOnly({ reports }: FsckRun, end: string): boolean {
  const pattern = new RegExp(
    '^The statfs file is wrong:\n' +
      'Current statfs values:\nblocks: +(\\S+ \\S+)\nfree: +(\\S+ \\S+)\ndinodes: .*\n' +
      'Calculated statfs values:\nblocks: +\\1\nfree: +\\2\ndinodes: .*\n' +
      `The statfs file ${end}\\.(\nWriting changes to disk)?$`,
  );
  return pattern.test(reports.join('\n'));
}

function fail({ status, output }: FsckRun): never {
  throw new Error(`fsck.gfs2 on the converted copy ended with ${status}:\n${output}`);
}
