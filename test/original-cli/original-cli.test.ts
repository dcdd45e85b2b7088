// Every command of Deta's own CLI, as its source on GitHub builds it, against a real host: SPACE_CLI names the binary
// (docs/compatibility.md says how to build it, and has the findings).
import { afterAll, beforeAll, describe, test } from 'vitest';
import { accountCommands } from './account.ts';
import { dataCommands } from './data.ts';
import { developCommands } from './develop.ts';
import { SPACE_CLI } from './original.ts';
import { projectCommands } from './project.ts';
import { pushCommands } from './push.ts';
import { releaseCommands } from './release.ts';
import { setScene, type Scene } from './scene.ts';

if (SPACE_CLI === '') {
  test.skip('the original CLI', () => {});
} else {
  describe('the original CLI', () => {
    let scene: Scene;
    beforeAll(async () => { scene = await setScene(); });
    afterAll(() => scene?.[Symbol.asyncDispose]());
    const set = (): Scene => scene;
    describe('account and version', () => accountCommands(set));
    describe('new, link, validate, open', () => projectCommands(set));
    describe('push', () => pushCommands(set));
    describe('release', () => releaseCommands(set));
    describe('exec, builder env, trigger, api', () => dataCommands(set));
    describe('dev', () => developCommands(set));
  });
}
