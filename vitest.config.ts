import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/slow/**'],
    testTimeout: 30_000,
    // vitest leaves a core idle, which is half of a machine of two
    maxWorkers: '100%',
  },
});
