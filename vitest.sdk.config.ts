// Owns `npm run test:sdk`: all cases of the SDKs, where `npm test` runs the short ones.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { pool: 'forks', include: ['test/sdk/**/*.test.ts'], env: { SDK_CASES: 'all' }, expect: { poll: { timeout: 20_000 } }, testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false },
});
