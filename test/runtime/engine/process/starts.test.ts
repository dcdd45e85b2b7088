// Covers who may start a program next: no Space whose programs never come up keeps another one waiting.
import { expect, it } from 'vitest';
import { Starts } from '../../../../runtime/engine/process/starts.ts';

function ground(atOnce: number): { ask(who: string): void; end(who: string): Promise<void>; begun(): string } {
  const starts = new Starts(atOnce);
  const begun: string[] = [];
  const open: [string, () => void][] = [];
  return {
    ask: (who) => void starts.enter(who).then((done) => { begun.push(who); open.push([who, done]); }),
    async end(who) {
      const [[, done]] = open.splice(open.findIndex(([each]) => each === who), 1) as [[string, () => void]];
      done();
      done();
      await Promise.resolve();
    },
    begun: () => begun.join(''),
  };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('so many begin at once, and the next when one of them is up', async () => {
  const { ask, end, begun } = ground(2);
  for (let count = 0; count < 4; count += 1) ask('a');
  await settled();
  expect(begun()).toBe('aa');
  await end('a');
  await settled();
  expect(begun()).toBe('aaa');
});

it('a Space that takes all the room keeps no other one waiting, and of those that wait the one with the fewest is next', async () => {
  const { ask, end, begun } = ground(2);
  for (const who of 'aaaaa') ask(who);
  await settled();
  for (const who of 'bbc') ask(who);
  await settled();
  expect(begun()).toBe('aabc');
  ask('d');
  await end('a');
  await settled();
  expect(begun()).toBe('aabcd');
  for (const who of 'abcd') await end(who);
  await settled();
  expect(begun().slice(5, 7).split('').toSorted().join('')).toBe('ab');
});

it('however they come, all begin, and never more than twice as many as usual', async () => {
  const { ask, end, begun } = ground(3);
  const asked = 'aaaabbbbccddddefghijaaaa';
  for (const who of asked) ask(who);
  for (let ended = 0; ended < asked.length; ended += 1) {
    await settled();
    expect(begun().length - ended).toBeLessThanOrEqual(6);
    await end(begun()[ended]!);
  }
  expect(begun().split('').toSorted().join('')).toBe(asked.split('').toSorted().join(''));
});
