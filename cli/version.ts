// Owns the command's own version: the package's.
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** From a checkout and from `dist/` alike. */
export const VERSION = readVersion();

function readVersion(): string {
  const manifest = findPackageJSON('..', import.meta.url);
  return manifest === undefined ? 'unknown' : (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
