// Covers every outcome of checking a Spacefile as our CLI reports it. What Deta's says of the same ones is tried with its
// binary, in test/original-cli.
import { expect, test } from 'vitest';
import { makeWorkplace, runSpace } from './run-space.ts';
import { OUTCOMES } from './spacefile-outcomes.ts';

test.each(OUTCOMES)('a Spacefile with $name', async ({ spacefile, ours }) => {
  await using place = await makeWorkplace({ 'a/index.html': 'x', ...(spacefile === undefined ? {} : { Spacefile: spacefile }) });
  const ran = await runSpace(place, ['validate']);
  expect(ran.out + ran.err).toContain(ours ?? 'The Spacefile is valid');
  expect(ran.code).toBe(ours === undefined ? 0 : 1);
});
