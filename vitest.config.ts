// Owns how tests are grouped and run. `check` reads the sources, `unit` covers one module each with real files and
// processes, `e2e` drives a whole host, `alone` too, with nothing beside it.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const CHECK = 'test/architecture.test.ts';
/** They compare times: nothing else may run beside them. */
const ALONE = ['test/hostile/front-door.test.ts', 'test/e2e/disk.test.ts', 'test/e2e/crash.test.ts'];

/** Most tests wait for disks, clocks and other processes: on two cores, two files at a time take little more than half as long. */
const WORKERS = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    pool: 'forks',
    maxConcurrency: 3,
    // What is waited for comes at once on a fast machine; on a slow one that is no reason to fail.
    expect: { poll: { timeout: 20_000 } },
    // Guest code in fixtures and examples is built by the product, never by the test runner.
    exclude: ['**/node_modules/**', 'test/fixtures/**', 'examples/**'],
    projects: [
      { extends: true, test: { name: 'check', include: [CHECK], testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: 'unit',
          maxWorkers: WORKERS,
          include: ['test/**/*.test.ts'],
          exclude: [CHECK, ...ALONE, 'test/e2e/**', 'test/sdk/**', 'test/fixtures/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          maxWorkers: WORKERS,
          include: ['test/e2e/**/*.test.ts', 'test/sdk/**/*.test.ts'],
          exclude: ALONE,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, fileParallelism: false, testTimeout: 180_000, hookTimeout: 180_000, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
