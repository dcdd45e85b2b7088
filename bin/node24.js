// Owns how a program of ours gets onto Node 24, whichever Node started it. Plain JavaScript that any Node can read;
// must not import anything of ours, since all of that needs Node 24 already.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 24;
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Run a program of ours and end this process as it ends: same exit code, or same signal.
 *  @param entryPath TypeScript file relative to the package, such as `cli/main.ts`; a published package has it in `dist/`
 *  @param options.nodeFlags flags that Node itself must be started with; the entry runs when it is imported */
export async function runOnNode24(entryPath, { nodeFlags = [] } = {}) {
  const entry = resolveEntry(entryPath);
  const isNewEnough = majorOf(process.versions.node) >= NEEDED_MAJOR;
  if (isNewEnough && nodeFlags.every((flag) => process.execArgv.includes(flag))) {
    process.argv[1] = entry;
    module.enableCompileCache?.(compileCache());
    await import(pathToFileURL(entry).href);
    return;
  }
  const node24 = isNewEnough ? process.execPath : findNode24();
  if (node24 === undefined) {
    // The sentence of NODE_TOO_OLD in core/errors.ts, which this Node cannot read.
    console.error(`Ownspace needs Node.js ${NEEDED_MAJOR}; this is ${process.versions.node}. Run npm install in the checkout, which brings the right one.`);
    process.exitCode = 1;
    return;
  }
  await runChild(node24, [...nodeFlags, entry, ...process.argv.slice(2)]);
}

/** Half of a start is reading sources: what Node makes of them is kept, where this user alone can write. It runs what it finds
 *  there, so a folder that everybody shares will not do. */
function compileCache() {
  return process.env.NODE_COMPILE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ownspace', 'code');
}

/** A checkout runs its sources; Node strips no types below node_modules, so a published package runs `dist/`. */
function resolveEntry(entryPath) {
  const source = join(packageRoot, entryPath);
  const isPublished = packageRoot.split(sep).includes('node_modules');
  if (!isPublished && existsSync(source)) return source;
  return join(packageRoot, 'dist', entryPath.replace(/\.ts$/, '.js'));
}

/** The Node that the package `node` brought along, wherever npm has put that package. */
function findNode24() {
  const require = createRequire(import.meta.url);
  const executable = process.platform === 'win32' ? 'node.exe' : 'node';
  try {
    const manifest = require.resolve('node/package.json');
    const path = join(dirname(manifest), 'bin', executable);
    return majorOf(require(manifest).version) >= NEEDED_MAJOR && existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}

function runChild(node, args) {
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: compileCache() } });
  const stopForwarding = forwardSignals(child);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`Node.js at ${node} could not be started: ${error.message}. Run npm install again.`);
      process.exitCode = 1;
      resolve();
    });
    child.on('exit', (code, signal) => {
      stopForwarding();
      if (signal) endBySignal(signal);
      else process.exitCode = code ?? 1;
      resolve();
    });
  });
}

function forwardSignals(child) {
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const handler = () => {
      // A terminal has sent Ctrl-C to the child too; twice would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => handlers.forEach((remove) => remove());
}

/** So that a shell sees what happened. */
function endBySignal(signal) {
  process.exitCode = 128 + (constants.signals[signal] ?? 0);
  process.kill(process.pid, signal);
}
