import { textFromByteString } from '../../images/bytes/byte-string.js';
import { type Difference, diffTrees } from '../../images/tree/diff.js';
import { escapedName } from '../../images/tree/listing.js';
import { openTree } from '../../pipelines/open-image.js';
import { commandPace, LineWriter } from '../command-line/output.js';
import { ExitCode, interruptionSignal } from '../command-line/run.js';

/** `ssi-image diff`: what differs between two images, archives or directories. Exit 1 when something does. */
export async function diff(a: string, b: string, options: { json?: boolean }): Promise<number> {
  const pace = commandPace();
  const open = { pace, signal: interruptionSignal };
  const before = await openTree(a, open);
  try {
    const after = await openTree(b, open);
    try {
      const out = new LineWriter();
      let count = 0;
      for await (const difference of diffTrees(before.tree, after.tree, pace)) {
        count += 1;
        await out.line(options.json === true ? jsonOf(difference) : lineOf(difference));
      }
      await out.flush();
      return count === 0 ? ExitCode.done : ExitCode.failed;
    } finally {
      after.close();
    }
  } finally {
    before.close();
  }
}

function jsonOf({ path, kind, fields }: Difference): string {
  return JSON.stringify({
    path: textFromByteString(path),
    kind,
    ...(fields === undefined ? {} : { fields }),
  });
}

const marks = { added: '+', removed: '-', changed: '~' } as const;

function lineOf({ path, kind, fields }: Difference): string {
  const changes = Object.entries(fields ?? {}).map(([name, [from, to]]) => `${name} ${from} -> ${to}`);
  return [`${marks[kind]} ${escapedName(path)}`, ...changes].join('  ');
}
