import { describe, expect, test } from 'vitest';
import { BUILD_STEPS, isAwaitingSource, isFinished, statusOf } from '../../builder/build-state.ts';
import type { BuildEvent, BuildState } from '../../builder/build-state.ts';

// `.` is ignored, `!` is refused.
const EXPECTED = `
            manifest icon  code  queue   run      release   complete  fail    cancel  interrupt
  created   manifest !     code  !       !        !         !         failed  failed  .
  manifest  manifest icon  code  !       !        !         !         failed  failed  .
  icon      !        icon  code  !       !        !         !         failed  failed  .
  code      !        !     !     queued  !        !         !         failed  failed  failed
  queued    !        !     !     .       running  !         !         failed  failed  .
  running   !        !     !     .       !        released  !         failed  failed  queued
  released  !        !     !     .       .        .         complete  .       !       .
  complete  !        !     !     .       .        .         .         .       !       .
  failed    !        !     !     .       .        .         .         .       .       .
`;

const [events = [], ...rows] = EXPECTED.trim().split('\n').map((line) => line.trim().split(/\s+/));
const cells = rows.flatMap(([state, ...steps]) => steps.map((step, index) => [state, events[index], step] as const));

describe('every cell of the table', () => {
  test.each(cells)('%s + %s -> %s', (state, event, step) => {
    const expected = step === '.' ? 'ignore' : step === '!' ? 'invalid' : step;
    expect(BUILD_STEPS[state as BuildState][event as BuildEvent]).toBe(expected);
  });

  test('is in this test', () => {
    expect(rows.map(([state]) => state)).toEqual(Object.keys(BUILD_STEPS));
    for (const steps of Object.values(BUILD_STEPS)) expect(Object.keys(steps).sort()).toEqual([...events].sort());
  });
});

test('what is seen outside', () => {
  const states = Object.keys(BUILD_STEPS) as BuildState[];
  expect(states.map(statusOf)).toEqual(['pending', 'pending', 'pending', 'pending', 'pending', 'running', 'running', 'complete', 'failed']);
  expect(states.filter(isFinished)).toEqual(['complete', 'failed']);
  expect(states.filter(isAwaitingSource)).toEqual(['created', 'manifest', 'icon']);
});
