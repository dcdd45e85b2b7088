#!/usr/bin/env node
// Runs the tests on Node 24 and prints a summary taken from the runner's own report. Plain JavaScript of any Node
// from 20 on: it has to find Node 24 first. Extra arguments go to the runner.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reportFile = join(root, 'test-report.json');
const unhandledFile = join(root, 'test-unhandled');
const node24 = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

/** Skips that are known and have a reason: {file?, test, reason}[]; `test` is a full name or its beginning. */
function readAllowedSkips() {
  return JSON.parse(readFileSync(join(root, 'test', 'skips.json'), 'utf8'));
}

/** A neighbour that takes the machine away for seconds can fail a test of thousands; more failures than this are none of that kind. */
const SECOND_LOOKS = 3;

function runVitest(args) {
  const reporters = ['--reporter=default', '--reporter=json', '--reporter=./test/support/unhandled.js', `--outputFile.json=${reportFile}`];
  for (const file of [reportFile, unhandledFile]) rmSync(file, { force: true });
  const child = spawn(node24, [vitest, 'run', ...reporters, ...args], { cwd: root, stdio: 'inherit', env: { ...process.env, UNHANDLED_FILE: unhandledFile } });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

const readReport = () => (existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : undefined);
const failuresOf = (file) => file.assertionResults.filter((test) => test.status === 'failed');

/**
 * Runs the files of a few failures once more, with nothing beside them, and names each test that differs: what passes only then
 * is to be mended too, but says nothing against the change.
 * @returns the report with the second results of those files, and what differs
 */
async function lookAgain(report) {
  const failed = report.testResults.filter((file) => file.status === 'failed');
  const count = failed.reduce((sum, file) => sum + Math.max(1, failuresOf(file).length), 0);
  // What failed outside of any test says nothing about where it belongs.
  if (count === 0 || count > SECOND_LOOKS || existsSync(unhandledFile)) return { report, unsteady: [], exitCode: undefined };
  console.log(`\n${count} failed: once more, alone`);
  const exitCode = await runVitest(['--no-file-parallelism', ...failed.map((file) => relative(root, file.name))]);
  const second = readReport();
  if (!second) return { report, unsteady: [], exitCode: 1 };
  const again = new Map(second.testResults.map((file) => [file.name, file]));
  const unsteady = failed.flatMap((file) => failuresOf(file)
    .filter(({ fullName }) => again.get(file.name)?.assertionResults.some((test) => test.fullName === fullName && test.status === 'passed'))
    .map((test) => ({ test: `${relative(root, file.name)} > ${test.fullName}`, why: test.failureMessages[0] ?? '' })));
  return { report: { testResults: report.testResults.map((file) => again.get(file.name) ?? file) }, unsteady, exitCode };
}

function collect(report) {
  const found = { passed: 0, failed: 0, skipped: [], brokenFiles: 0 };
  for (const file of report.testResults) {
    const name = relative(root, file.name);
    for (const test of file.assertionResults) {
      if (test.status === 'passed') found.passed += 1;
      else if (test.status === 'failed') found.failed += 1;
      else found.skipped.push({ file: name, test: test.fullName });
    }
    // A file that cannot be loaded has no tests of its own, yet it failed.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
      found.failed += 1;
      found.brokenFiles += 1;
    }
  }
  return found;
}

/** Prints each skip with its reason; returns how many have none. */
function explainSkips(skipped) {
  const allowed = readAllowedSkips();
  let unexplained = 0;
  for (const skip of skipped) {
    const entry = allowed.find((a) => (a.file === undefined || a.file === skip.file) && skip.test.startsWith(a.test));
    if (!entry) unexplained += 1;
    console.log(`skipped  ${skip.file} > ${skip.test}\n         ${entry ? entry.reason : 'NO REASON in test/skips.json'}`);
  }
  return unexplained;
}

if (!existsSync(node24) || !existsSync(vitest)) {
  console.error('Node 24 or the test runner is missing. Run npm install in the checkout first.');
  process.exit(1);
}
let exitCode = await runVitest(process.argv.slice(2));
let report = readReport();
if (report) {
  if (process.env.CI === 'true' && process.argv.length === 2) {
    const second = await lookAgain(report);
    report = second.report;
    exitCode = second.exitCode ?? exitCode;
    for (const { test, why } of second.unsteady) console.log(`UNSTEADY  ${test}\n          passed at the second attempt only; at first: ${why.split('\n')[0]}`);
  }
  const found = collect(report);
  // A filter of names marks every other test as skipped; those are no skips of anybody's making.
  const isFiltered = process.argv.some((arg) => arg === '-t' || arg.startsWith('--testNamePattern'));
  const unexplained = isFiltered ? 0 : explainSkips(found.skipped);
  if (process.env.CI === 'true' && unexplained > 0) {
    console.log(`${unexplained} skipped without a reason in test/skips.json: that fails in CI`);
    exitCode ||= 1;
  }
  if (found.brokenFiles > 0) console.log(`${found.brokenFiles} test files could not be run; each counts as failed`);
  console.log(`${found.passed} passed, ${found.failed} failed, ${found.skipped.length} skipped`);
} else {
  console.log('The test runner left no report.');
  exitCode ||= 1;
}
process.exitCode = exitCode;
