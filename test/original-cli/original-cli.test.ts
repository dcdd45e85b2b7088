// Every command of Deta's own CLI, as its source on GitHub builds it, against a real host: SPACE_CLI names the binary
// (docs/compatibility.md says how to build it, and has the findings).
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountCommands } from './account.ts';
import { dataCommands } from './data.ts';
import { developCommands } from './develop.ts';
import { instanceCommands } from './instance.ts';
import { SPACE_CLI } from './original.ts';
import { projectCommands } from './project.ts';
import { pushCommands } from './push.ts';
import { releaseCommands } from './release.ts';
import { setScene, type Scene } from './scene.ts';

const COMMANDS: Record<string, (scene: () => Scene) => void> = {
  'account and version': accountCommands,
  'new, link, validate, open': projectCommands,
  push: pushCommands,
  release: releaseCommands,
  'exec, api': dataCommands,
  'builder env, trigger': instanceCommands,
  dev: developCommands,
};

describe.skipIf(SPACE_CLI === '')('the original CLI', () => {
  let scene: Scene;
  beforeAll(async () => { scene = await setScene(); });
  afterAll(() => scene?.[Symbol.asyncDispose]());

  test('is the one that SPACE_CLI names', async () => {
    expect(await scene.original.run(['--help'])).toEqual({ code: 0, out: expect.stringContaining('Deta Space command line interface') });
  });

  for (const [name, commands] of SPACE_CLI === '' ? [] : Object.entries(COMMANDS)) describe(name, () => { commands(() => scene); });
});
