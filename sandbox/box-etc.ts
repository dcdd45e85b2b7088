// Owns /etc of a box: a folder made from nothing, one for all boxes that trust the same authorities, and a list of names for
// each app, which lies over the folder's own. Both are kept as long as the host runs.
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { showToAll } from './box-user.ts';
import { writeTrust } from './box-trust.ts';

export interface EtcSpec {
  /** Names that lead to the box's own loopback, where forwards listen. */
  hosts: readonly string[];
  /** Certificates (PEM) that programs in the box trust beside those of this machine. */
  authority: string | undefined;
}

/** Places inside, and the paths here that are shown there. */
export type Etc = Readonly<Record<'/etc' | '/etc/hosts', string>>;

export const INSIDE_USER = { name: 'micro', id: 1000 } as const;

const { name, id } = INSIDE_USER;
const FILES = {
  passwd: `${name}:x:${id}:${id}::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n`,
  group: `${name}:x:${id}:\nnogroup:x:65534:\n`,
  hostname: `${name}\n`,
  // There is no name server: whatever is not in `hosts` is unknown at once, rather than after a timeout.
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n',
  'resolv.conf': '',
} as const;
/** Of this machine, without a secret in them. */
const COPIED = ['ld.so.cache', 'localtime', 'mime.types', 'services', 'protocols', 'ssl/openssl.cnf'];
const LINKED = ['alternatives'];

export class EtcFolders {
  #folder: string;
  #made = new Map<string, Promise<unknown>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async of({ hosts, authority }: EtcSpec): Promise<Etc> {
    const [etc, names] = await Promise.all([
      this.#once(`etc-${hash(authority ?? '')}`, (path) => makeFolder(path, authority)),
      this.#once(`etc-hosts-${hash(hosts.join('\n'))}`, async (path) => {
        await writeFile(path, hostsFile(hosts));
        await chmod(path, 0o644);
      }),
    ]);
    return { '/etc': etc, '/etc/hosts': names };
  }

  async #once(name: string, make: (path: string) => Promise<unknown>): Promise<string> {
    const path = join(this.#folder, name);
    let made = this.#made.get(name);
    if (!made) {
      this.#made.set(name, made = make(path));
      made.catch(() => this.#made.delete(name));
    }
    await made;
    return path;
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
export const hostsFile = (hosts: readonly string[]): string => ['localhost', name, ...hosts].map((host) => `127.0.0.1 ${host}\n`).join('');

async function makeFolder(folder: string, authority: string | undefined): Promise<void> {
  const draft = `${folder}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(join(draft, 'ssl'), { recursive: true });
  for (const [file, text] of Object.entries({ ...FILES, hosts: '' })) await writeFile(join(draft, file), text);
  for (const file of COPIED) await cp(`/etc/${file}`, join(draft, file), { dereference: true }).catch(() => {});
  for (const link of LINKED) await cp(`/etc/${link}`, join(draft, link), { recursive: true, verbatimSymlinks: true }).catch(() => {});
  await writeTrust(draft, authority);
  await showToAll(draft);
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}
