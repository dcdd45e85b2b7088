// Owns which files of a folder are served: none by accident. Pure but for reading the folder.
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

export interface Served {
  /** Paths with `/` on every system. */
  paths: string[];
  /** What stays out, in the words of a report. */
  leftOut: string[];
}

/** Files that tools of developers keep beside a site, at its root. */
const TOOL_FILES: ReadonlySet<string> = new Set(['Spacefile', 'Discovery.md', 'package.json', 'package-lock.json', 'yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb', 'requirements.txt']);
const NAMED_MAX = 3;

/** Reasons, and what each takes out; the first that fits. */
const REASONS: readonly (readonly [reason: string, takes: (path: string, name: string) => boolean])[] = [
  ['names that begin with a dot', (path) => /(?:^|\/)\.(?!well-known\/)/.test(path)],
  ['source maps', (path) => /\.(?:[mc]?js|css)\.map$/i.test(path)],
  ['private keys', (_, name) => /\.pem$|^id_(?:rsa|ed25519|ecdsa)$/i.test(name)],
  ['names that no address can have', (path) => /[\\\p{Cc}\uFFFD]/u.test(path)],
];

export async function servedFiles(folder: string, { isSourceRoot }: { isSourceRoot: boolean }): Promise<Served> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const all = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  const out = new Map<string, string[]>();
  const paths = all.filter((path) => {
    const reason = reasonAgainst(path, isSourceRoot);
    if (reason !== undefined) out.set(reason, [...(out.get(reason) ?? []), path]);
    return reason === undefined;
  });
  return { paths, leftOut: [...out].map(([reason, names]) => `${names.length} for ${reason}: ${names.toSorted().slice(0, NAMED_MAX).map((name) => JSON.stringify(name).slice(1, -1)).join(', ')}${names.length > NAMED_MAX ? ', ...' : ''}`) };
}

function reasonAgainst(path: string, isSourceRoot: boolean): string | undefined {
  if (isSourceRoot && TOOL_FILES.has(path)) return 'being of the project, not of the site';
  const name = path.slice(path.lastIndexOf('/') + 1);
  return REASONS.find(([, takes]) => takes(path, name))?.[0];
}
