import { piecesOf } from '../../../tree/content.js';
import { extentsOfFile } from '../../block-tree-reader.js';
import { MAGIC, QUOTA_RECORD_BYTES } from '../../constants.js';
import { readMetadataHeader } from '../../metadata-header.js';
import { decodeQuotaRecord } from '../../quota.js';
import { QUOTA_CHANGE } from '../constants.js';
import type { SystemFiles } from '../system-files.js';
import type { Gfs2CheckContext } from './context.js';

/** Checks the quota file, its values too when `values` is set, and the nodes' changes to it (docs/gfs2-format.md §6). */
export async function checkGfs2Quota(
  context: Gfs2CheckContext,
  files: SystemFiles,
  values: boolean,
): Promise<void> {
  for (const [node, { quotaChange }] of files.nodes.entries()) await checkChanges(context, node, quotaChange);
  const { image, faults } = context;
  const { size } = image.readDinode(files.quota, "the filesystem's own files").dinode;
  if (size % QUOTA_RECORD_BYTES !== 0 || size < 2 * QUOTA_RECORD_BYTES) {
    faults.add(
      'quota-file',
      files.quota,
      `${size} bytes are no whole records, or not those of user and group 0`,
    );
    return;
  }
  if (values) await new QuotaComparison(context, files.quota).run();
}

/** Every block has a header: a kernel does not mount the filesystem otherwise. */
async function checkChanges(context: Gfs2CheckContext, node: number, address: number): Promise<void> {
  const { image, faults, pace } = context;
  const { blockSize } = image.geometry;
  const { size, height } = image.readDinode(address, "the filesystem's own files").dinode;
  const path = `(master)/per_node/quota_change${node}`;
  if (height === 0 || size % blockSize !== 0) {
    faults.add('quota-change', address, `${size} bytes and height ${height}: no whole blocks`, path);
    return;
  }
  for (const { position, length } of extentsOfFile(image, { address, size, height, journaled: false })) {
    for (let done = 0; done < length; done += blockSize) {
      if (pace.due()) await pace.breathe();
      if (faults.truncated) return;
      const block = (position + done) / blockSize;
      const { magic, type, format } = readMetadataHeader(image.readBlock(block));
      if (magic !== MAGIC || type !== QUOTA_CHANGE.type || format !== QUOTA_CHANGE.format)
        faults.add('quota-change', block, `no block of quota changes: its type is ${type}/${format}`, path);
    }
  }
}

/** Compares the records that are stored with what the owners use. The file may be long: ids have 32 bits. */
class QuotaComparison {
  private readonly bytes = Buffer.alloc(QUOTA_RECORD_BYTES);
  /** Which record is being put together in `bytes`; -1 for none. */
  private number = -1;
  private readonly missing: readonly [users: Set<number>, groups: Set<number>];

  constructor(
    private readonly context: Gfs2CheckContext,
    private readonly address: number,
  ) {
    this.missing = [new Set(context.users.keys()), new Set(context.owningGroups.keys())];
  }

  async run(): Promise<void> {
    const { context, address } = this;
    const { image, pace, faults } = context;
    const quota = image.readDinode(address, "the filesystem's own files");
    const content = { kind: 'extents', source: image.device, extents: () => image.extents(quota) } as const;
    for (const piece of piecesOf(content, quota.dinode.size)) {
      for (let done = 0; done < piece.bytes.length && !faults.truncated; ) {
        if (pace.due()) await pace.breathe();
        done += this.take(piece.offset + done, piece.bytes.subarray(done));
      }
    }
    this.compare();
    for (const [kind, ids] of this.missing.entries()) for (const id of ids) this.judge(kind, id, 0);
  }

  /** Takes the bytes of one record, or the part of it that is there; returns how many those are. */
  private take(offset: number, bytes: Uint8Array): number {
    const number = Math.floor(offset / QUOTA_RECORD_BYTES);
    if (number !== this.number) {
      this.compare();
      this.number = number;
      this.bytes.fill(0);
    }
    const within = offset - number * QUOTA_RECORD_BYTES;
    const count = Math.min(bytes.length, QUOTA_RECORD_BYTES - within);
    this.bytes.set(bytes.subarray(0, count), within);
    return count;
  }

  private compare(): void {
    if (this.number < 0) return;
    this.judge(this.number % 2, Math.floor(this.number / 2), decodeQuotaRecord(this.bytes, 0).value);
  }

  /** Kind 0 is a user, 1 a group. */
  private judge(kind: number, id: number, value: number): void {
    const { context, address, missing } = this;
    missing[kind === 0 ? 0 : 1].delete(id);
    const used = (kind === 0 ? context.users : context.owningGroups).get(id) ?? 0;
    if (value === used) return;
    context.faults.add(
      'quota-value',
      address,
      `${kind === 0 ? 'user' : 'group'} ${id} uses ${used} blocks, its record says ${value}`,
    );
  }
}
