// Owns how tests are grouped and run. `check` reads the sources, `unit` covers one module each with real files and
// processes, `e2e` drives a whole host.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const CHECK = 'test/architecture.test.ts';
/** Compares times: nothing else may run beside it. */
const ALONE = 'test/hostile/front-door.test.ts';

/** Most tests wait for disks, clocks and other processes: on two cores, two files at a time take little more than half as long. */
const UNIT_WORKERS = Math.max(2, availableParallelism() - 1);

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
          maxWorkers: UNIT_WORKERS,
          include: ['test/**/*.test.ts'],
          exclude: [CHECK, ALONE, 'test/e2e/**', 'test/sdk/**', 'test/fixtures/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/sdk/**/*.test.ts', ALONE],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Each file starts hosts of its own; two at a time would only measure the machine.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
