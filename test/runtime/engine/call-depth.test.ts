// Owns the proof of the guess how deep a process's call is nested: endless calls are counted, many at once are not.
import { expect, test } from 'vitest';
import { createCallDepth } from '../../../runtime/engine/call-depth.ts';

test('a call is one deeper than the request during which it is made', () => {
  const depth = createCallDepth();
  expect(depth.calling().hops).toBe(1);
  const end = depth.received(3);
  expect(depth.calling().hops).toBe(4);
  end();
  expect(depth.calling().hops).toBe(1);
});

test('a program that calls itself without end gets deeper each time', () => {
  const depth = createCallDepth();
  depth.received(0);
  for (let hops = 1; hops <= 20; hops += 1) {
    expect(depth.calling().hops).toBe(hops);
    depth.received(hops);
  }
});

test('the same among requests that wait for something else', () => {
  const depth = createCallDepth();
  for (let count = 0; count < 5; count += 1) depth.received(0);
  let deepest = 0;
  for (let count = 0; count < 30; count += 1) {
    const { hops } = depth.calling();
    deepest = Math.max(deepest, hops);
    depth.received(hops);
  }
  expect(deepest).toBeGreaterThan(4);
});

test('requests that are many at once do not lift each other', () => {
  const depth = createCallDepth();
  const ends: (() => void)[] = [];
  // Each request from outside makes one call to a Micro that calls this one back.
  let deepest = 0;
  for (let count = 0; count < 1000; count += 1) {
    const endOuter = depth.received(0);
    const out = depth.calling();
    const endBack = depth.received(out.hops + 1);
    deepest = Math.max(deepest, out.hops);
    // Of the last ten, nothing has ended yet.
    ends.push(() => { endBack(); out.end(); endOuter(); });
    if (ends.length > 10) ends.shift()!();
  }
  expect(deepest).toBe(1);
});


test('a request that makes several calls, one after the other or at once, does not lift them', () => {
  const depth = createCallDepth();
  depth.received(1);
  const first = depth.calling();
  first.end();
  first.end();
  expect([first.hops, depth.calling().hops, depth.calling().hops]).toEqual([2, 2, 2]);
});
