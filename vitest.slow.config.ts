import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/slow/**/*.test.ts'],
    globalSetup: ['test/slow/main-job.ts'],
    testTimeout: 900_000,
    hookTimeout: 900_000,
    // One file after another; within a file, as many runs at once as keep two cores busy.
    fileParallelism: false,
    maxConcurrency: 2,
  },
});
