import { defineConfig } from 'vitest/config';

/** Those of `npm test` that do something at random: here they do it more often (see test/support/rounds.ts). */
const AT_RANDOM = [
  'test/fuzz/readers.test.ts',
  'test/images/gfs/check/hostile-images.test.ts',
  'test/images/gfs/gfs2/hostile-images.test.ts',
  'test/pipelines/cache/remote/faults.test.ts',
  'test/pipelines/engine/kill.test.ts',
  'test/pipelines/recipe/mutations.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/judges/**/*.test.ts', ...AT_RANDOM],
    env: { ALL_ROUNDS: '1' },
    // Each boots User-Mode Linux with half a gigabyte of memory and keeps a core busy.
    fileParallelism: false,
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
  },
});
