// Owns which forwarder this machine can run: the binary that comes along, one made here from its source, or Node's.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Forwarder {
  /** File that is shown in the box. */
  path: string;
  /** Started by Node.js; else by itself. */
  isScript: boolean;
}

const run = promisify(execFile);
const own = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A whole program of a few KB, without a library. */
export const COMPILER_FLAGS = [
  '-Os', '-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-fno-pie', '-no-pie', '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns', '-Wl,-z,noexecstack', '-Wl,-z,noseparate-code', '-Wl,--build-id=none', '-s',
];
/** How it ends when nobody is at the other side of its control socket. */
const HOST_IS_GONE = 137;
const NO_WORK = ['control:0', '--', '/bin/true'];

/** @param folder where one that was made here is kept */
export async function findForwarder(folder: string): Promise<Forwarder> {
  const made = join(folder, 'forwarder');
  await mkdir(folder, { recursive: true });
  // Its mode may be lost on the way here, and other users have to read it.
  if (process.arch === 'x64' && (await isRunnable(made, () => copyFile(own('forwarder-x64'), `${made}.draft`)))) return { path: made, isScript: false };
  const compile = (): Promise<unknown> => run('cc', [...COMPILER_FLAGS, '-o', `${made}.draft`, own('forwarder.c')]);
  if (await isRunnable(made, compile)) return { path: made, isScript: false };
  const script = `${made}.ts`;
  await copyFile(own('forwarder.ts'), script);
  await chmod(script, 0o644);
  return { path: script, isScript: true };
}

async function isRunnable(path: string, make: () => Promise<unknown>): Promise<boolean> {
  try {
    await make();
    await chmod(`${path}.draft`, 0o755);
    await rename(`${path}.draft`, path);
    // Its control socket is nothing: it ends at once, as it says.
    const running = run(path, NO_WORK);
    running.child.stdin?.end();
    return await running.then(() => false, ({ code }: { code?: number | string }) => code === HOST_IS_GONE);
  } catch {
    await rm(`${path}.draft`, { force: true });
    return false;
  }
}
