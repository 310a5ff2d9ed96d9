import { FileSource } from '../../images/bytes/byte-source.js';
import { textFromByteString } from '../../images/bytes/byte-string.js';
import { printable } from '../../images/diagnostic.js';
import { type PoolLabel, readPoolLabel } from '../../images/pool/label.js';
import { formatBytes, formatFacts, writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';

/** `ssi-image pinfo`: the pool label of each image. */
export async function pinfo(images: readonly string[], options: { json?: boolean }): Promise<number> {
  for (const [index, image] of images.entries()) {
    const source = new FileSource(image);
    try {
      const label = readPoolLabel(source);
      if (options.json === true) await writeOut(`${JSON.stringify({ image, ...labelObject(label) })}\n`);
      else {
        const text = formatFacts([
          ['image', image],
          ['pool', printable(textFromByteString(label.poolName))],
          ['pool id', hexadecimal(label.poolId)],
          ['version', versionOf(label)],
          ['subpool', `${label.subpoolId} of ${label.subpools}, ${label.type}`],
          ['device', `${label.deviceId} of ${label.devices} in its subpool`],
          ['size', `${label.blocks} sectors (${formatBytes(label.blocks * 512)})`],
          ['striping', label.striping === 0 ? 'none (concatenated)' : `${label.striping} sectors`],
          ['weight', label.weight],
          ['minor', label.minor === 0 ? 'dynamic' : label.minor],
        ]);
        await writeOut(index === 0 ? text : `\n${text}`);
      }
    } finally {
      source.close();
    }
  }
  return ExitCode.done;
}

/** A label for JSON: the 64-bit pool id as hexadecimal text. */
export function labelObject(label: PoolLabel): Record<string, unknown> {
  return {
    ...label,
    poolName: textFromByteString(label.poolName),
    poolId: hexadecimal(label.poolId),
    version: versionOf(label),
  };
}

/** A label in a line. */
export function describeLabel(label: PoolLabel): string {
  return `${printable(textFromByteString(label.poolName))}, subpool ${label.subpoolId} of ${label.subpools} (${label.type}), device ${label.deviceId} of ${label.devices}, id ${hexadecimal(label.poolId)}`;
}

function hexadecimal(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`;
}

function versionOf({ version }: PoolLabel): string {
  return `${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`;
}
