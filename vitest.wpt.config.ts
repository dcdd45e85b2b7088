// Owns `WPT=<folder> npm run test:wpt`: web-platform-tests inside an isolate Micro, against committed expectations.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { pool: 'forks', include: ['test/wpt/**/*.test.ts'], maxConcurrency: 2, testTimeout: 180_000, hookTimeout: 60_000 },
});
