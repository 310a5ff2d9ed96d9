import { existsSync, readFileSync } from 'node:fs';
import { FileSource, readBytes } from '../../images/bytes/byte-source.js';
import { readableHostError } from '../../images/bytes/host-error.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { hostError, usageError } from '../../images/diagnostic.js';
import { type PoolConfig, parsePoolConfig } from '../../images/pool/config.js';
import {
  LABEL_AREA_BYTES,
  labelsFor,
  type PoolLabel,
  readPoolLabel,
  writePoolLabel,
} from '../../images/pool/label.js';
import { hasPoolLabel } from '../../images/pool/pool.js';
import { detectKind } from '../../pipelines/open-image.js';
import { formatBytes, writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { parseDeviceMap } from './device-options.js';

/** `ssi-image ptool`: writes the labels that make images the devices of a pool. */
export async function ptool(
  file: string,
  options: { device: string[]; override?: boolean },
): Promise<number> {
  const config = parsePoolConfig(readText(file), file);
  const images = imagesOf(config, parseDeviceMap(options.device), file);
  if (options.override !== true) for (const image of images) checkReplaceable(image, config.name);
  const labels = labelsFor(config, images.map(sizeOfImage));
  for (const [index, label] of labels.entries()) writeLabel(images[index]!, label);
  for (const [index, label] of labels.entries()) {
    const size = formatBytes(Number(label.blocks) * 512);
    await writeOut(
      `${images[index]}: pool ${label.poolName}, subpool ${label.subpoolId}, device ${label.deviceId}, ${size}\n`,
    );
  }
  return ExitCode.done;
}

/** A text file that the user named. Throws a DiagnosticError when it can't be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw readableHostError(cause, file);
  }
}

/** The image of each device line, in the order of the file: what --device says, else the device itself. */
function imagesOf(config: PoolConfig, map: ReadonlyMap<string, string>, file: string): string[] {
  const unused = new Set(map.keys());
  const images = config.devices.map(({ path }) => {
    unused.delete(path);
    const image = map.get(path) ?? path;
    if (existsSync(image)) return image;
    throw hostError(
      'no such file or device',
      map.has(path)
        ? 'Make it first, for example with truncate -s 2GiB.'
        : `Say which image stands for it: --device ${path}=IMAGE.`,
      { file: image },
    );
  });
  if (unused.size > 0) throw usageError(`--device ${[...unused].join(', ')}: ${file} names no such device`);
  const twice = images.find((image, index) => images.indexOf(image) !== index);
  if (twice !== undefined) throw usageError(`${twice} stands for two devices of the pool`);
  return images;
}

function sizeOfImage(image: string): number {
  const source = new FileSource(image);
  source.close();
  return source.size;
}

/** A label takes the first 8192 bytes: what a user has there must not be lost by a slip. */
function checkReplaceable(image: string, poolName: string): void {
  const source = new FileSource(image);
  try {
    const advice = 'Give -O to write the label all the same.';
    if (hasPoolLabel(source)) {
      const label = readPoolLabel(source);
      if (label.poolName === poolName) return;
      throw hostError(`it belongs to the pool "${label.poolName}"`, advice, { file: image });
    }
    const kind = detectKind(source);
    if (kind !== 'unknown') throw hostError(`it holds ${kind} data`, advice, { file: image });
  } finally {
    source.close();
  }
}

function writeLabel(image: string, label: PoolLabel): void {
  const before = new FileSource(image);
  const area = readBytes(before, 0, Math.min(LABEL_AREA_BYTES, before.size));
  before.close();
  const sink = SparseFile.open(image);
  try {
    const bytes = Buffer.alloc(LABEL_AREA_BYTES);
    writePoolLabel(label).copy(bytes);
    // Only what differs: an image that is all hole stays one but for the label itself.
    if (!area.equals(bytes)) sink.write(bytes, 0);
    sink.close();
  } finally {
    sink.abandon();
  }
}
