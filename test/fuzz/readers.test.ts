import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { rounds } from '../support/rounds.js';

const program = fileURLToPath(new URL('../../dist/test/fuzz/run.js', import.meta.url));

const count = rounds(800, 2500);

/** A fixed part of the runs; `npm run fuzz` does all of them, or others. */
test.each([1, 2])('mutated images and archives end in a result or a clean error (seed %i)', (seed) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, '--seed', `${seed}`, '--count', `${count}`],
    {
      encoding: 'utf8',
      timeout: 110_000,
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  expect(stdout + stderr).toMatch(new RegExp(`^${count} inputs from \\d+ samples .*, 0 failed; `));
  expect(status).toBe(0);
});
