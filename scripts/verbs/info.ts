import { FileSource } from '../../images/bytes/byte-source.js';
import { textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { openExt2 } from '../../images/ext2/reader.js';
import { type Gfs2Summary, summariseGfs2 } from '../../images/gfs/gfs2/summary.js';
import { type FilesystemSummary, summarise } from '../../images/gfs/summary.js';
import { readEnvelope } from '../../images/lock-table/envelope.js';
import { type PoolLabel, readPoolLabel } from '../../images/pool/label.js';
import { allocatedBytes } from '../../pipelines/allocated-bytes.js';
import { type ContentKind, detectKind, openDevice, openTree } from '../../pipelines/open-image.js';
import { commandPace, formatBytes, formatFacts, writeOut } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';
import { describeLabel, labelObject } from './pinfo.js';

type Facts = [name: string, value: string | number][];

interface Info {
  readonly image: string;
  readonly bytes: number;
  readonly allocated: number;
  readonly pool?: PoolLabel;
  readonly kind: ContentKind | 'lock-table';
  readonly facts: Facts;
  readonly details: Record<string, unknown>;
}

/** `ssi-image info`: what an image is. */
export async function info(
  image: string,
  options: { json?: boolean; poolDevice?: string[] },
): Promise<number> {
  const result = await inspect(image, options.poolDevice ?? []);
  if (options.json === true) {
    const { facts: _, details, pool, ...rest } = result;
    await writeOut(
      `${JSON.stringify({ ...rest, ...(pool === undefined ? {} : { pool: labelObject(pool) }), ...details })}\n`,
    );
    return ExitCode.done;
  }
  const facts: Facts = [
    ['image', result.image],
    [
      'size',
      `${result.bytes} bytes (${formatBytes(result.bytes)}), ${formatBytes(result.allocated)} allocated`,
    ],
    ...(result.pool === undefined ? [] : ([['pool', describeLabel(result.pool)]] as Facts)),
    ...result.facts,
  ];
  await writeOut(formatFacts(facts));
  return ExitCode.done;
}

async function inspect(image: string, poolDevices: readonly string[]): Promise<Info> {
  const pace = commandPace();
  const open = { pace, signal: interruptionSignal, poolDevices };
  const file = new FileSource(image);
  const base = { image, bytes: file.size, allocated: allocatedBytes(image) };
  file.close();
  const device = await openDevice(image, open);
  try {
    const pool = device.pooled ? readLabelOf(image) : undefined;
    const common = { ...base, ...(pool === undefined ? {} : { pool }) };
    const kind = detectKind(device.source);
    const envelope = kind === 'unknown' && device.pooled ? readEnvelope(device.source) : undefined;
    if (envelope !== undefined) {
      const facts: Facts = [
        ['content', 'lock table'],
        [
          'format',
          "this project's own envelope around the text of gfscf.cf (the byte format of the period's gfsconf is not known)",
        ],
        ['nodes', envelope.config.nodes.length],
        ['data device', envelope.config.datadev],
        ['lock device', envelope.config.lockdev],
      ];
      return {
        ...common,
        kind: 'lock-table',
        facts,
        details: { lockTable: { envelope: 'ssi-images', text: envelope.text } },
      };
    }
    if (kind === 'opengfs') {
      const summary = await summarise(device.source, pace);
      return { ...common, kind, facts: gfsFacts(summary), details: { opengfs: summary } };
    }
    if (kind === 'ext') return { ...common, kind, ...describeExt(device.source) };
    if (kind === 'tar' || kind === 'cpio' || kind === 'tree') {
      const { tree, close } = await openTree(image, open);
      const entries = [...tree.entries()].length;
      close();
      return {
        ...common,
        kind,
        facts: [
          ['content', kind === 'tree' ? 'tree that a stage made' : `${kind} archive`],
          ['entries', entries],
        ],
        details: { entries },
      };
    }
    if (kind === 'gfs2') {
      const summary = await summariseGfs2(device.source, pace);
      return { ...common, kind, facts: gfs2Facts(summary), details: { gfs2: summary } };
    }
    if (pool !== undefined)
      return { ...common, kind, facts: [['content', 'nothing that is known here']], details: {} };
    throw imageError({ file: image }, 'no pool label, filesystem or archive that is known here');
  } finally {
    device.close();
  }
}

function readLabelOf(image: string): PoolLabel {
  const file = new FileSource(image);
  try {
    return readPoolLabel(file);
  } finally {
    file.close();
  }
}

function gfsFacts(summary: FilesystemSummary): Facts {
  const { blockSize } = summary;
  return [
    ['content', `OpenGFS filesystem, format ${summary.filesystemFormat}/${summary.multihostFormat}`],
    ['block size', blockSize],
    ['lock protocol', textFromByteString(summary.lockProtocol)],
    ['lock table', textFromByteString(summary.lockTable)],
    [
      'journals',
      `${summary.journals.length}${summary.journals.length === 0 ? '' : ` of ${formatBytes((summary.journals[0]?.segments ?? 0) * summary.segmentBlocks * blockSize)}`}`,
    ],
    ['resource groups', summary.resourceGroups],
    ['blocks', blocksFact(summary)],
    ['inodes', `${summary.usedDinodes} (5 of them the filesystem's own)`],
  ];
}

function gfs2Facts(summary: Gfs2Summary): Facts {
  const { journals } = summary;
  return [
    ['content', `GFS2 filesystem, format ${summary.filesystemFormat}/${summary.multihostFormat}`],
    ['uuid', summary.uuid],
    ['block size', summary.blockSize],
    ['lock protocol', textFromByteString(summary.lockProtocol)],
    ['lock table', textFromByteString(summary.lockTable)],
    ['journals', `${journals.length}${journals.length === 0 ? '' : ` of ${formatBytes(journals[0] ?? 0)}`}`],
    ['resource groups', summary.resourceGroups],
    ['blocks', blocksFact(summary)],
    ['inodes', `${summary.usedDinodes} (${summary.ownDinodes} of them the filesystem's own)`],
  ];
}

function blocksFact(
  summary: Pick<FilesystemSummary, 'allocatableBlocks' | 'freeBlocks' | 'blockSize'>,
): string {
  const { allocatableBlocks, freeBlocks, blockSize } = summary;
  const used = allocatableBlocks - freeBlocks;
  const share = ((100 * used) / Math.max(1, allocatableBlocks)).toFixed(1);
  return `${allocatableBlocks}, ${used} in use (${share} %), ${formatBytes(freeBlocks * blockSize)} free`;
}

function describeExt(source: Parameters<typeof openExt2>[0]): {
  facts: Facts;
  details: Record<string, unknown>;
} {
  const filesystem = openExt2(source);
  const { superblock, format } = filesystem;
  return {
    facts: [
      ['content', `${format} filesystem${superblock.label === '' ? '' : ` "${superblock.label}"`}`],
      ['uuid', superblock.uuid],
      ['block size', superblock.blockSize],
      ['blocks', `${superblock.blockCount}, ${superblock.freeBlockCount} free`],
      ['inodes', `${superblock.inodeCount}, ${superblock.freeInodeCount} free`],
      ['features', superblock.features.join(' ')],
      ...(superblock.needsRecovery
        ? ([['note', 'its journal was not replayed: e2fsck first']] as Facts)
        : []),
    ],
    details: { [format]: superblock },
  };
}
