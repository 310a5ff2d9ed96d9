import { PayloadFormat } from '../../constants.js';
import { INUM_BYTES, INUM_RANGE_BYTES, STATFS_BYTES } from '../constants.js';
import type { SystemFiles } from '../system-files.js';
import type { Gfs2CheckContext } from './context.js';

/** What a file of the filesystem's own must be. */
interface Expected {
  readonly address: number;
  readonly path: string;
  readonly type: 'file' | 'directory';
  /** Exact size in bytes, where the file has one. */
  readonly size?: number;
  readonly payload?: number;
}

/**
 * Finds the filesystem's own files (docs/gfs2-format.md §6) and checks what kind they are. Undefined when one can't
 * be found.
 */
export function checkSystemFiles(context: Gfs2CheckContext): SystemFiles | undefined {
  const { image, faults } = context;
  const files = faults.attempt('system-file', image.superblock.master.address, () => image.systemFiles);
  if (files === undefined) return undefined;
  if (files.journals.length === 0) faults.add('system-file', files.journalIndex, 'there is no journal');
  let good = true;
  for (const expected of expectedFiles(files)) good = checkFile(context, expected) && good;
  return good ? files : undefined;
}

function expectedFiles(files: SystemFiles): Expected[] {
  const { inodeNumbers, statfs, resourceIndex, quota } = files;
  const inMaster = (name: string, address: number, more: Partial<Expected> = {}): Expected => ({
    address,
    path: `(master)/${name}`,
    type: 'file',
    ...more,
  });
  return [
    inMaster('jindex', files.journalIndex, { type: 'directory' }),
    inMaster('per_node', files.perNode, { type: 'directory' }),
    inMaster('inum', inodeNumbers, { size: INUM_BYTES }),
    inMaster('statfs', statfs, { size: STATFS_BYTES }),
    inMaster('rindex', resourceIndex, { payload: PayloadFormat.resourceIndex }),
    inMaster('quota', quota, { payload: PayloadFormat.quota }),
    ...files.journals.map((address, number) => inMaster(`jindex/journal${number}`, address)),
    ...files.nodes.flatMap(({ inodeRange, statfsChange, quotaChange }, node) => [
      inMaster(`per_node/inum_range${node}`, inodeRange, { size: INUM_RANGE_BYTES }),
      inMaster(`per_node/statfs_change${node}`, statfsChange, { size: STATFS_BYTES }),
      inMaster(`per_node/quota_change${node}`, quotaChange),
    ]),
  ];
}

function checkFile(context: Gfs2CheckContext, { address, path, type, size, payload }: Expected): boolean {
  const { image, faults } = context;
  const file = faults.attempt('system-file', address, () => image.readDinode(address, path));
  if (file === undefined) return false;
  const { dinode } = file;
  const add = (message: string): false => {
    faults.add('system-file', address, message, path);
    return false;
  };
  const found = image.typeOf(dinode);
  if (found !== type) return add(`a ${found ?? 'dinode of no known type'} instead of a ${type}`);
  if (size !== undefined && (dinode.size !== size || dinode.height !== 0))
    return add(`${dinode.size} bytes and height ${dinode.height} instead of ${size} and 0`);
  if (payload !== undefined && dinode.payloadFormat !== payload)
    return add(`payload format ${dinode.payloadFormat} instead of ${payload}`);
  return true;
}
