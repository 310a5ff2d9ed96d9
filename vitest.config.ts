import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/assembly.ts',
    // Those boot kernels and build a Debian root: npm run test:judges.
    exclude: [...configDefaults.exclude, 'test/judges/**'],
    // Vitest leaves a processor to itself, which does next to nothing while the tests run; many tests wait.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
