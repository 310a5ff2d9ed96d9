import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Those boot kernels and build a Debian root: npm run test:judges.
    exclude: [...configDefaults.exclude, 'test/judges/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
