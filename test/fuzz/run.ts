// npm run fuzz [-- --seed N --count N --sample NAME]: reads mutated images and archives until one misbehaves.
import { parseArgs } from 'node:util';
import { exercise, isDiagnostic } from './exercise.js';
import { hotPieces, mutate } from './mutate.js';
import { Random } from './random.js';
import { makeSamples } from './samples.js';

/** What one mutated input may take. */
const CPU_SECONDS_MAX = 2;
const MEMORY_MIB_MAX = 256;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '20000' },
    sample: { type: 'string' },
  },
});
const seed = Number(values.seed);
const count = Number(values.count);

const samples = (await makeSamples()).filter(
  ({ name }) => values.sample === undefined || name === values.sample,
);
const hot = samples.map(({ bytes }) => hotPieces(bytes));
for (const { name, bytes } of samples) {
  // An unharmed sample must be readable, or nothing is learnt from harming it.
  await exercise(bytes).catch((error: unknown) => {
    throw new Error(`${name} cannot be read unharmed`, { cause: error });
  });
}
globalThis.gc?.();
const memoryBefore = process.resourceUsage().maxRSS / 1024;
const outcomes = { read: 0, refused: 0 };
let slowest = 0;
let failures = 0;
for (let number = 0; number < count; number++) {
  const index = number % samples.length;
  const sample = samples[index]!;
  const random = new Random(seed * 1_000_003 + number);
  const mutation = mutate(sample.bytes, hot[index]!, random);
  const before = process.cpuUsage();
  try {
    await exercise(mutation.bytes);
    outcomes.read += 1;
  } catch (error) {
    if (isDiagnostic(error)) outcomes.refused += 1;
    else {
      failures += 1;
      const stack = error instanceof Error ? error.stack : String(error);
      process.stdout.write(`FAILED ${sample.name} --seed ${seed} number ${number}: ${stack}\n`);
    }
  }
  mutation.undo();
  const used = process.cpuUsage(before);
  const seconds = (used.user + used.system) / 1e6;
  slowest = Math.max(slowest, seconds);
  if (seconds > CPU_SECONDS_MAX) {
    failures += 1;
    process.stdout.write(
      `FAILED ${sample.name} --seed ${seed} number ${number}: took ${seconds.toFixed(1)} s\n`,
    );
  }
}
const memory = process.resourceUsage().maxRSS / 1024 - memoryBefore;
if (memory > MEMORY_MIB_MAX) {
  failures += 1;
  process.stdout.write(`FAILED: memory grew by ${memory.toFixed(0)} MiB\n`);
}
process.stdout.write(
  `${count} inputs from ${samples.length} samples (${samples.map(({ name }) => name).join(', ')}): ${outcomes.read} read, ${outcomes.refused} refused, ${failures} failed; slowest ${slowest.toFixed(2)} s, memory +${memory.toFixed(0)} MiB\n`,
);
process.exitCode = failures === 0 ? 0 : 1;
