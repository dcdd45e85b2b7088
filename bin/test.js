#!/usr/bin/env node
// Runs the tests on Node 24 and prints a summary taken from the runner's own report. Plain JavaScript of any Node
// from 20 on: it has to find Node 24 first. Extra arguments go to the runner.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reportFile = join(root, 'test-report.json');
const node24 = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

/** Skips that are known and have a reason: {file?, test, reason}[]; `test` is a full name or its beginning. */
function readAllowedSkips() {
  return JSON.parse(readFileSync(join(root, 'test', 'skips.json'), 'utf8'));
}

function runVitest() {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(node24, [vitest, 'run', ...reporters, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
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
rmSync(reportFile, { force: true });
let exitCode = await runVitest();
if (existsSync(reportFile)) {
  const found = collect(JSON.parse(readFileSync(reportFile, 'utf8')));
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
