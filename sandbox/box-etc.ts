// Owns /etc of a box: a folder made from nothing for each set of names and authorities, and kept as long as the host runs.
import { createHash } from 'node:crypto';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { showToAll } from './box-user.ts';
import { writeTrust } from './box-trust.ts';

export interface EtcSpec {
  /** Names that lead to the box's own loopback, where forwards listen. */
  hosts: readonly string[];
  /** Certificates (PEM) that programs in the box trust beside those of this machine. */
  authority: string | undefined;
}

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
  #made = new Map<string, Promise<string>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns the path of the folder to be shown as /etc */
  of(spec: EtcSpec): Promise<string> {
    const key = createHash('sha256').update(JSON.stringify([spec.hosts, spec.authority])).digest('hex').slice(0, 16);
    let made = this.#made.get(key);
    if (!made) {
      this.#made.set(key, made = make(join(this.#folder, `etc-${key}`), spec));
      made.catch(() => this.#made.delete(key));
    }
    return made;
  }
}

async function make(folder: string, { hosts, authority }: EtcSpec): Promise<string> {
  const draft = `${folder}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(join(draft, 'ssl'), { recursive: true });
  const names = ['localhost', name, ...hosts].map((host) => `127.0.0.1 ${host}\n`).join('');
  for (const [file, text] of Object.entries({ ...FILES, hosts: names })) await writeFile(join(draft, file), text);
  for (const file of COPIED) await cp(`/etc/${file}`, join(draft, file), { dereference: true }).catch(() => {});
  for (const link of LINKED) await cp(`/etc/${link}`, join(draft, link), { recursive: true, verbatimSymlinks: true }).catch(() => {});
  await writeTrust(draft, authority);
  await showToAll(draft);
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
  return folder;
}
