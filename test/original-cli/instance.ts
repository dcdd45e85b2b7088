// Covers `builder env` and `trigger`.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { signIn } from '../e2e/people.ts';
import { urlIn, type Scene } from './scene.ts';

export function instanceCommands(scene: () => Scene): void {
  test('builder env reads and writes the values of a Micro\'s variables', async () => {
    const { original, project } = scene();
    const { dir } = await project('settings');
    expect(await original.run(['builder', 'env', '--get', '.env'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('no dev instance found') });
    const url = urlIn((await original.run(['push'], { cwd: dir })).out, 'Builder instance');
    expect(await original.run(['builder', 'env', '--get', '.env'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining('please provide a valid micro name') });
    expect(await original.run(['builder', 'env', '--get', '.env', '--micro', 'nothing'], { cwd: dir })).toEqual({ code: 1, out: expect.stringContaining("micro 'nothing' not found") });
    expect(await original.run(['builder', 'env', '--get', '.env', '--micro', 'api'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Wrote 2 environment variables') });
    expect(await readFile(join(dir, '.env'), 'utf8')).toBe('GREETING="hello"\nSECRET=""\n');
    await writeFile(join(dir, '.env'), 'GREETING="hi, you = all # of you"\nSECRET=s3cret\nUNKNOWN=x\n');
    expect(await original.run(['builder', 'env', '--set', '.env', '--micro', 'api'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Updated 2 environment variables') });
    expect(await original.run(['builder', 'env', '--set', '.env', '--micro', 'api'], { cwd: dir })).toEqual({ code: 0, out: expect.stringContaining('Found 0 environment variables') });
    expect(await original.run(['builder', 'env', '--get', 'again', '--micro', 'api'], { cwd: dir })).toMatchObject({ code: 0 });
    expect(await readFile(join(dir, 'again'), 'utf8')).toBe('GREETING="hi, you = all # of you"\nSECRET="s3cret"\n');
    await signIn(scene().host, scene().ada);
    const seen = await scene().ada.browser.visit(new URL('/api/look', url).href);
    expect(seen.json()).toMatchObject({ greeting: 'hi, you = all # of you', secret: 's3cret', hasKey: true });
    // A push keeps them.
    await original.run(['push'], { cwd: dir });
    expect((await scene().ada.browser.visit(new URL('/api/look', url).href)).json()).toMatchObject({ secret: 's3cret' });
  });

  test('trigger calls an App Action', async () => {
    const { original, ada, project } = scene();
    const { dir, id } = await project('acting');
    await original.run(['push'], { cwd: dir });
    const { instances } = (await ada.api('GET', `/instances?app_id=${id}`)).json<{ instances: { alias: string }[] }>();
    const alias = instances[0]?.alias ?? '';
    expect(await original.run(['trigger', alias, 'greet'], { stdin: '{"who":"you"}' })).toEqual({ code: 0, out: '{\n  "text": "hello you"\n}\n' });
    expect(await original.run(['trigger', alias, 'greet', '--input', 'who=me'], { stdin: '{}' })).toEqual({ code: 0, out: expect.stringContaining('hello me') });
    expect(await original.run(['trigger', alias, 'nothing'], { stdin: '{}' })).toEqual({ code: 1, out: expect.stringContaining('action nothing not found') });
    expect((await original.run(['__complete', 'trigger', ''])).out).toContain(alias);
    expect((await original.run(['__complete', 'trigger', alias, ''])).out).toContain('greet');
    expect(await scene().bobs.run(['trigger', alias, 'greet'], { stdin: '{"who":"you"}' })).toMatchObject({ code: 1 });
  });
}
