import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/judges/**/*.test.ts'],
    // Each boots User-Mode Linux with half a gigabyte of memory and keeps a core busy.
    fileParallelism: false,
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
  },
});
