// Owns how changes of a project's files become work: what changed meanwhile is one piece, and one piece is done at a time.
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { watch } from 'chokidar';
import { createIgnore } from '../space-ignore.ts';

/** Editors write a file in several steps, and a change of branch is many files. */
const SETTLE_MS = 60;

export interface Watch { close(): Promise<void> }

/** @param work gets the paths that changed, relative to the project, with `/`; must not throw */
export async function watchProject(dir: string, work: (paths: ReadonlySet<string>) => Promise<void>): Promise<Watch> {
  const ignore = createIgnore(await readFile(join(dir, '.spaceignore'), 'utf8').catch(() => ''));
  const pathOf = (path: string): string => relative(dir, path).split(sep).join('/');
  const watcher = watch(dir, { ignoreInitial: true, followSymlinks: false, ignored: (path) => pathOf(path) !== '' && pathOf(path) !== '.spaceignore' && ignore(pathOf(path)) });
  let changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let busy: Promise<void> | undefined;
  const settle = (): void => {
    timer = undefined;
    if (busy !== undefined || changed.size === 0) return;
    const paths = changed;
    changed = new Set();
    busy = work(paths).finally(() => {
      busy = undefined;
      settle();
    });
  };
  watcher.on('all', (event, path) => {
    if (event === 'addDir') return;
    changed.add(pathOf(path));
    clearTimeout(timer);
    timer = setTimeout(settle, SETTLE_MS);
  });
  await new Promise<void>((resolve, reject) => watcher.once('ready', resolve).once('error', reject));
  return {
    async close() {
      clearTimeout(timer);
      changed = new Set();
      await watcher.close();
      await busy;
    },
  };
}
