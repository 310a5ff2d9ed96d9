import { readFileSync } from 'node:fs';
import { buildIn } from './build-rig.js';
import { samplePipeline } from './sample-pipeline.js';

/*
 * Builds the sample pipeline. Prints that it begins, then what ran or how it failed. Arguments: the folder, milliseconds of each pause, the
 * name of the output folder in it, the greeting.
 */
const [folder = '', pause = '0', out = 'out', greeting = 'hello'] = process.argv.slice(2);
const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
const { rchar } = ownReads();
process.stdout.write('begun\n');
try {
  const { ranStages, unchanged, milliseconds } = await buildIn(
    folder,
    samplePipeline(folder, Number(pause), greeting),
    { out: `${folder}/${out}`, signal: controller.signal },
  );
  const read = ownReads().rchar - rchar;
  process.stdout.write(`${JSON.stringify({ ranStages, unchanged, milliseconds, read })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: `${error}` })}\n`);
  process.exitCode = 1;
}

/** Bytes that this process has read so far, from wherever. */
function ownReads(): { rchar: number } {
  const text = readFileSync('/proc/self/io', 'utf8');
  return { rchar: Number(/rchar: (\d+)/.exec(text)?.[1]) };
}
