// Owns whom programs in a box trust: the authorities of this machine and one more, where each kind of program looks for them.
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool, launch } from './launch.ts';
import { subjectHash } from './subject-hash.ts';

const FOLDER = 'ssl/certs';
const BUNDLE = `${FOLDER}/ca-certificates.crt`;
/** Ours alone, for programs that add it to a list of their own. */
const OWN = 'ssl/box-authority.pem';

/** Not every program looks where the system does. */
export function trustEnv(): Record<string, string> {
  return {
    // Node and Deno bring a list along; a whole bundle would slow Node 20 down at each start.
    NODE_EXTRA_CA_CERTS: `/etc/${OWN}`, DENO_CERT: `/etc/${OWN}`,
    // OpenSSL, and with it Python and httpx. A folder costs nothing until an authority is looked for in it; a bundle is read
    // whole for each context, which takes OpenSSL 3 40 ms. But only a folder that names them by their hashes has them all.
    ...(isHashed() ? { SSL_CERT_DIR: `/etc/${FOLDER}` } : { SSL_CERT_FILE: `/etc/${BUNDLE}` }),
    REQUESTS_CA_BUNDLE: `/etc/${BUNDLE}`, CURL_CA_BUNDLE: `/etc/${BUNDLE}`,
  };
}

let hashed: boolean | undefined;
function isHashed(): boolean {
  hashed ??= existsSync(`/etc/${FOLDER}`) && readdirSync(`/etc/${FOLDER}`).some((name) => /^[0-9a-f]{8}\.0$/.test(name));
  return hashed;
}

/** @param etc a folder that becomes /etc  @param authority PEM */
export async function writeTrust(etc: string, authority: string | undefined): Promise<void> {
  await mkdir(join(etc, FOLDER), { recursive: true });
  // Some 300 links: by the means of Node.js that would take half a second.
  const copy = await launch({ command: [findTool('cp')!, '-RP', `/etc/${FOLDER}/.`, join(etc, FOLDER)], stdio: ['ignore', 'ignore', 'ignore'] });
  await copy.exited;
  await symlink('certs/ca-certificates.crt', join(etc, 'ssl/cert.pem'));
  if (authority === undefined) return;
  const bundle = await readFile(`/etc/${BUNDLE}`, 'utf8').catch(() => '');
  await rm(join(etc, BUNDLE), { force: true });
  await writeFile(join(etc, BUNDLE), `${bundle}\n${authority}`);
  await writeFile(join(etc, OWN), authority);
  const hash = subjectHash(authority);
  if (hash !== undefined) await symlink('../box-authority.pem', join(etc, FOLDER, `${hash}.0`));
}
