import { availableParallelism } from 'node:os';
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

/** Those that boot nodes of a cluster, which lose sight of each other where there is too little of the processors. */
const CLUSTERS = ['cluster', 'debian-node', 'debian-recipe', 'ramdisk', 'test-debian'].map(
  (name) => `test/judges/${name}.test.ts`,
);

const common = { env: { ALL_ROUNDS: '1' }, testTimeout: 1_200_000, hookTimeout: 1_200_000 };

export default defineConfig({
  test: {
    globalSetup: 'test/support/assembly.ts',
    projects: [
      {
        test: {
          ...common,
          name: 'judges',
          include: ['test/judges/**/*.test.ts', ...AT_RANDOM],
          exclude: CLUSTERS,
          // Many boot User-Mode Linux with half a gigabyte of memory and keep a processor busy.
          maxWorkers: Math.min(availableParallelism(), 4),
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'clusters',
          include: CLUSTERS,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
