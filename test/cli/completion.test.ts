// Owns the proof that the scripts for completion work in the shells themselves.
import { execa } from 'execa';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHELLS } from '../../cli/completion.ts';
import { makeWorkplace, runSpace } from './run-space.ts';

let folder: string;
const script = (shell: string): string => join(folder, `space.${shell}`);
const isThere = async (shell: string): Promise<boolean> => !(await execa(shell, ['-c', 'true'], { reject: false })).failed;
const there = Object.fromEntries(await Promise.all(SHELLS.map(async (shell) => [shell, await isThere(shell)] as const)));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'space-completion-'));
  await using place = await makeWorkplace();
  for (const shell of SHELLS) {
    const { code, out } = await runSpace(place, ['completion', shell]);
    expect(code).toBe(0);
    await writeFile(script(shell), out);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Line -> what is offered for its last word. */
const CASES: [line: string, offered: string[]][] = [
  ['space pu', ['push']],
  ['space builder e', ['env']],
  ['space dev p', ['proxy']],
  ['space push --sk', ['--skip-logs']],
  ['space api -X P', ['PATCH', 'POST']],
];

test.skipIf(!there['bash']).each(CASES)('bash: %s', async (line, offered) => {
  const words = line.split(' ').map((word) => `'${word}'`).join(' ');
  const { stdout } = await execa('bash', ['-c', `source ${script('bash')}; COMP_WORDS=(${words}); COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); _space; printf '%s\\n' "\${COMPREPLY[@]}"`]);
  expect(stdout.split('\n').toSorted()).toEqual(offered);
});

test.skipIf(!there['fish']).each(CASES)('fish: %s', async (line, offered) => {
  const { stdout } = await execa('fish', ['-N', '-c', `source ${script('fish')}; complete -C '${line}'`]);
  expect(stdout.split('\n').map((row) => row.split('\t')[0]).toSorted()).toEqual(offered);
});

/** Drives an interactive zsh: its completion runs nowhere else. What it prints is asked for until the wanted text came. */
const ZSH = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1='ready> '; autoload -U compinit; compinit -u -d $2/dump; source $1; LISTMAX=0"
zpty -r -m z output '*ready> *ready> *'
zpty -n -w z "$3"$'\\t'
zpty -r -m z output "*$4*"
print -rn -- "$output"
zpty -d z
`;

test.skipIf(!there['zsh']).each([['space pu', 'push'], ['space builder e', 'env'], ['space push --sk', '--skip-logs'], ['space api -X PA', 'PATCH']])('zsh: %s', async (line, offered) => {
  const { stdout } = await execa('zsh', ['-f', '-c', ZSH, 'zsh', script('zsh'), folder, line, offered.slice(-2)], { env: { COLUMNS: '200', TERM: 'dumb' }, timeout: 20_000 });
  expect(stdout.replaceAll(/[\b\r]|\u001B\[[^A-Za-z]*[A-Za-z]/g, '')).toContain(offered.slice(-2));
});

test('another shell is refused, with those that there are', async () => {
  await using place = await makeWorkplace();
  const ran = await runSpace(place, ['completion', 'csh']);
  expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('There is one for bash, zsh, fish.')]);
});
