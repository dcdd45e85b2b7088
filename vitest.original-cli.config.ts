// Owns `SPACE_CLI=<binary> npm run test:original-cli`: every command of Deta's own CLI against a host.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { pool: 'forks', include: ['test/original-cli/**/*.test.ts'], expect: { poll: { timeout: 20_000 } }, testTimeout: 180_000, hookTimeout: 180_000 },
});
