import { existsSync } from 'node:fs';
import { hostError, usageError } from '../../images/diagnostic.js';
import { parseLockTable, printLockTable } from '../../images/lock-table/config.js';
import { writeEnvelope } from '../../images/lock-table/envelope.js';
import { openWritable } from '../../pipelines/writable-image.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';
import { parseDeviceMap } from './device-options.js';
import { readText } from './ptool.js';

/**
 * `ssi-image gfsconf`: writes a lock table to its cidev, in the project's own envelope: the byte format of the
 * period's gfsconf is not known.
 */
export async function gfsconf(file: string, options: { device: string[] }): Promise<number> {
  const config = parseLockTable(readText(file), file);
  const map = parseDeviceMap(options.device);
  const image = map.get(config.cidev) ?? config.cidev;
  const unused = [...map.keys()].filter((name) => name !== config.cidev);
  if (unused.length > 0)
    throw usageError(`--device ${unused.join(', ')}: not the cidev of ${file}, which is ${config.cidev}`);
  if (!existsSync(image)) {
    throw hostError(
      'no such file or device',
      `Say which image stands for the cidev: --device ${config.cidev}=root_cidev.`,
      {
        file: image,
      },
    );
  }
  const target = openWritable(image);
  try {
    if (!target.pooled) {
      throw hostError('it has no pool label', 'Label it first with "ssi-image ptool pool0cidev.cf".', {
        file: image,
      });
    }
    writeEnvelope(target.sink, printLockTable(config));
    target.close();
  } finally {
    target.abandon();
  }
  await writeOut(
    `${image}: lock table for ${config.nodes.length} nodes (in this project's own envelope, not the period's byte format)\n`,
  );
  return ExitCode.done;
}
