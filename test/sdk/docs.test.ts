// The examples of docs/data.md, run as they stand in a shell.
import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../support/host-process.ts';
import { startByVariable } from './sdk-host.ts';

const ANSWER = '#> ';
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** `...` stands for what differs each time. */
const patternOf = (answer: string): RegExp => new RegExp(`^${answer.split('...').map(escaped).join('.+')}$`);

const curl = await execa('curl', ['--version'], { reject: false });
if (curl.failed) console.log('docs/data.md: there is no curl');

test.skipIf(curl.failed)('every example of docs/data.md answers what it says', async () => {
  const text = await readFile(join(CHECKOUT, 'docs', 'data.md'), 'utf8');
  const lines = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) => block.split('\n'));
  const answers = lines.filter((line) => line.startsWith(ANSWER)).map((line) => line.slice(ANSWER.length));
  expect(answers.length).toBeGreaterThan(25);
  await using host = await startByVariable();
  const { stdout } = await execa('sh', ['-eu', '-c', lines.join('\n')], { env: { ROOT: host.host.url, KEY: host.dataKey } });
  const printed = stdout.split('\n');
  for (const [index, answer] of answers.entries()) expect(printed[index]).toMatch(patternOf(answer));
  expect(printed).toHaveLength(answers.length);
});
