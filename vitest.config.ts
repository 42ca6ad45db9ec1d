import { defineConfig } from 'vitest/config';

/** The packages' sources, not their builds; of libraries what Node itself takes, which knows no `module`. */
const resolve = { conditions: ['@sluice/source', 'node', 'development|production'] };

export default defineConfig({
  ssr: { resolve },
  // Vitest loads the global setup in an environment of its own, under this name.
  environments: { __vitest__: { resolve } },
  test: {
    environment: 'node',
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['./test/redis-server.ts'],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    restoreMocks: true,
  },
});
