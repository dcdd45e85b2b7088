// Covers the web API of an isolate Micro with web-platform-tests: a checkout that WPT names, see docs/web-standards.md.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IsolateBench } from '../support/isolate-instance.ts';
import { compare, EXPECTATIONS, reasonOf } from './expectations.ts';
import { openWptBench, runTest } from './run-test.ts';
import { folderOf, isExcluded, listTests } from './suite.ts';

const root = process.env.WPT ?? '';
const GOAL = 0.9;
const TEST_MS = 180_000;

describe.skipIf(root === '')('web-platform-tests', () => {
  let bench: IsolateBench;
  beforeAll(async () => { bench = await openWptBench(); });
  afterAll(() => bench.close());
  const figures = new Map<string, { passed: number; all: number }>();

  for (const test of root === '' ? [] : listTests(root, process.env.WPT_PART)) {
    it.concurrent(`${test.file}${test.variant}`, async () => {
      const { subtests, error } = await runTest(bench, root, test);
      const counted = subtests.filter(({ name }) => !isExcluded(test.file, name));
      const figure = figures.get(folderOf(test.file)) ?? { passed: 0, all: 0 };
      figure.all += counted.length + (error === undefined ? 0 : 1);
      figure.passed += counted.filter(({ passed }) => passed).length;
      figures.set(folderOf(test.file), figure);
      expect(compare(test.file, { subtests: counted, ...(error === undefined ? {} : { error }) })).toEqual({ failed: [], passed: [] });
    }, TEST_MS);
  }

  it('pass, nine of ten', () => {
    const sum = [...figures.values()].reduce((a, b) => ({ passed: a.passed + b.passed, all: a.all + b.all }), { passed: 0, all: 0 });
    console.log([...figures, ['all', sum] as const].map(([folder, { passed, all }]) => `| ${folder} | ${passed} | ${all} | ${(passed / all * 100).toFixed(2)} % |`).join('\n'));
    expect(sum.passed / sum.all).toBeGreaterThanOrEqual(GOAL);
  });
});

describe('expectations', () => {
  it('have a reason each', () => {
    for (const reasons of Object.values(EXPECTATIONS.files)) for (const reason of Object.keys(reasons)) expect(EXPECTATIONS.reasons).toHaveProperty(reason);
  });

  it('notice what fails, and what passes against them', () => {
    const [file, reasons] = Object.entries(EXPECTATIONS.files)[0]!;
    const [known] = Object.values(reasons)[0]!;
    expect(reasonOf(file, known!)).toBeDefined();
    expect(compare(file, { subtests: [{ name: 'a new one', passed: false, message: 'why' }, { name: known!, passed: false }] })).toEqual({ failed: ['a new one: why'], passed: [] });
    expect(compare(file, { subtests: [{ name: 'a new one', passed: true }, { name: known!, passed: true }] })).toEqual({ failed: [], passed: [known] });
    expect(compare(file, { subtests: [], error: 'timeout' }).failed).toEqual(['(the file itself): timeout']);
  });
});
