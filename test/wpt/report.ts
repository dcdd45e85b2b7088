// Owns `WPT=<folder> node test/wpt/report.ts [beginning of a file's name] [--update] [--excluded]`: what fails, the figures of each
// folder, and new expectations.
import { EXPECTATIONS, WHOLE_FILE, writeExpectations } from './expectations.ts';
import { openWptBench, runTest } from './run-test.ts';
import { folderOf, isExcluded, listTests, type SuiteTest } from './suite.ts';

const root = process.env.WPT ?? '';
const [part = ''] = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const has = (flag: string): boolean => process.argv.includes(flag);
const bench = await openWptBench();
const figures = new Map<string, { passed: number; all: number }>();
const failures = new Map<string, Set<string>>();
const queue = listTests(root, part, has('--excluded'));

async function report(test: SuiteTest): Promise<void> {
  const { file, variant } = test;
  const { subtests, error } = await runTest(bench, root, test);
  const counted = subtests.filter(({ name }) => isExcluded(file, name) === has('--excluded'));
  const failed = counted.filter((subtest) => !subtest.passed);
  const figure = figures.get(folderOf(file)) ?? { passed: 0, all: 0 };
  figure.all += counted.length + (error ? 1 : 0);
  figure.passed += counted.length - failed.length;
  figures.set(folderOf(file), figure);
  const names = failures.get(file) ?? new Set();
  failures.set(file, names);
  for (const { name } of failed) names.add(name);
  if (error) names.add(WHOLE_FILE);
  console.log(`${error || failed.length > 0 ? '✗' : '✓'} ${file}${variant} ${counted.length - failed.length}/${counted.length}${error ? ` ERROR ${error}` : ''}`);
  for (const { name, message } of failed) console.log(`    ${name}\n        ${message?.split('\n')[0]}`);
}

async function work(): Promise<void> {
  for (let test = queue.shift(); test; test = queue.shift()) await report(test);
}

await Promise.all([work(), work()]);
const row = (name: string, { passed, all }: { passed: number; all: number }): void => console.log(`${name.padEnd(20)} ${passed}/${all} ${(passed / all * 100).toFixed(2)} %`);
for (const [folder, figure] of figures) row(folder, figure);
row('all', [...figures.values()].reduce((sum, figure) => ({ passed: sum.passed + figure.passed, all: sum.all + figure.all }), { passed: 0, all: 0 }));
if (has('--update')) writeExpectations(failures);
console.log(`${Object.keys(EXPECTATIONS.reasons).length} reasons known`);
await bench.close();
