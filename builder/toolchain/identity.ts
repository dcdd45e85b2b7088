// Owns one text that is different whenever the same source could become other files: by other code of ours, or by other
// programs on this machine. Knows no source.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLER_VERSION } from './bundle.ts';
import type { PackageTools } from './package-tools.ts';

export interface ToolIdentity {
  /** For what this code alone makes. */
  code(): Promise<string>;
  /** For what programs of this machine make too. */
  programs(): Promise<string>;
}

/** Where nobody's PATH leads, and builds look all the same. */
const MORE_TOOLS = ['/usr/local/go/bin'];

export function createToolIdentity(tools: PackageTools): ToolIdentity {
  let code: Promise<string> | undefined;
  const ownCode = (): Promise<string> => (code ??= hashOfCode());
  return {
    code: ownCode,
    async programs() {
      const where = tools.allowsCommands ? 'bare' : (await tools.boxes?.()) ? 'box' : 'staged';
      const folders = [...tools.toolPath.split(':'), ...MORE_TOOLS];
      // Whoever installs or upgrades a program puts it into one of these folders, which then has another time.
      const times = await Promise.all(folders.map(async (folder) => (await stat(folder, { bigint: true }).catch(() => undefined))?.mtimeNs.toString() ?? null));
      return JSON.stringify([await ownCode(), where, process.version, tools.npmCommand, tools.toolEnv, folders, times]);
    },
  };
}

async function hashOfCode(): Promise<string> {
  const hash = createHash('sha256').update(BUNDLER_VERSION);
  const entries = await readdir(import.meta.dirname, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).toSorted();
  for (const path of files) hash.update(await readFile(path));
  return hash.digest('hex');
}
