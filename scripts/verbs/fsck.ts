import { DiagnosticError, formatDiagnostic, imageError, printable } from '../../images/diagnostic.js';
import { checkOpenGfs } from '../../images/gfs/check/check.js';
import { faultText } from '../../images/gfs/check/faults.js';
import { checkGfs2 } from '../../images/gfs/gfs2/check/check.js';
import { piecesOf } from '../../images/tree/content.js';
import { lookUp, walk } from '../../images/tree/lookup.js';
import { isWritten } from '../../pipelines/nodes/image-lock.js';
import { detectKind, openDevice, openFilesystem } from '../../pipelines/open-image.js';
import { commandPace, LineWriter } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

export interface FsckOptions {
  readonly json?: boolean;
  readonly poolDevice?: string[];
}

/** `ssi-image fsck`: every fault with its block and rule. Exit 4 when there is one. */
export async function fsck(image: string, options: FsckOptions): Promise<number> {
  const open = { pace: commandPace(), signal: interruptionSignal, poolDevices: options.poolDevice ?? [] };
  const device = await openDevice(image, open);
  try {
    const kind = detectKind(device.source);
    if ((kind === 'opengfs' || kind === 'gfs2') && isWritten(image))
      process.stderr.write(
        `warning: a cluster writes ${printable(image)} now: only once it has stopped this tells what there is\n`,
      );
    if (kind === 'opengfs') return await checkNatively(image, device.source, checkOpenGfs, options);
    if (kind === 'gfs2') return await checkNatively(image, device.source, checkGfs2, options);
    if (kind === 'unknown') {
      throw imageError(
        { file: image },
        'no filesystem or archive that is known here',
        'See "ssi-image info".',
      );
    }
  } finally {
    device.close();
  }
  return readThrough(image, options);
}

async function checkNatively(
  image: string,
  source: Parameters<typeof checkOpenGfs>[0],
  check: typeof checkOpenGfs,
  options: FsckOptions,
): Promise<number> {
  const result = await check(source, { pace: commandPace() });
  const out = new LineWriter();
  if (options.json === true) await out.line(JSON.stringify({ image, ...result }));
  else {
    for (const fault of result.faults) await out.line(`${image}: ${faultText(fault)}`);
    const clean = result.faults.length === 0;
    const count = `${result.faults.length}${result.truncated ? ' or more' : ''} fault${result.faults.length === 1 ? '' : 's'}`;
    await out.line(
      `${image}: ${clean ? 'clean' : count}, ${result.inodes} inodes (${result.directories} directories), ${result.blocksUsed} blocks in use`,
    );
  }
  await out.flush();
  return result.faults.length === 0 ? ExitCode.done : ExitCode.faultsFound;
}

/** Formats without a checker of our own are read through: every name, every attribute, every map of a file. */
async function readThrough(image: string, options: FsckOptions): Promise<number> {
  const pace = commandPace();
  const out = new LineWriter();
  let inodes = 0;
  let fault: string | undefined;
  try {
    const filesystem = await openFilesystem(image, {
      pace,
      signal: interruptionSignal,
      poolDevices: options.poolDevice ?? [],
    });
    try {
      for (const { node } of walk(filesystem, lookUp(filesystem, '/'))) {
        inodes += 1;
        if (node.type === 'file')
          for (const _ of piecesOf(node.content, node.size)) if (pace.due()) await pace.breathe();
        if (pace.due()) await pace.breathe();
      }
    } finally {
      filesystem.close();
    }
  } catch (error) {
    if (!(error instanceof DiagnosticError) || error.diagnostics.some(({ kind }) => kind !== 'image'))
      throw error;
    fault = error.diagnostics.map(formatDiagnostic).join('\n');
  }
  if (options.json === true) {
    const faults = fault === undefined ? [] : [{ rule: 'readable', message: fault }];
    await out.line(JSON.stringify({ image, faults, inodes }));
  } else if (fault === undefined) {
    await out.line(
      `${image}: readable, ${inodes} names; a full check of this format is e2fsck's (ext2/3/4) or its archiver's`,
    );
  } else await out.line(fault);
  await out.flush();
  return fault === undefined ? ExitCode.done : ExitCode.faultsFound;
}
