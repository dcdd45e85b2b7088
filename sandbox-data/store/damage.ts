// Owns what is known of damage to stored data: which keys, where no key can be read between which, and the list of it
// on the disk, which outlives the Store that it is about. Knows no Base and no Drive.
import { appendFile, readFile, rm } from 'node:fs/promises';
import { hasErrno } from '../disk-error.ts';

/** `record`: one value. `table`, `log`, `manifest`: a part of a file of the Store. `blob`: the content of a File. */
export type DamageKind = 'record' | 'table' | 'log' | 'manifest' | 'blob';

export interface Damage {
  kind: DamageKind;
  /** What happened, as a sentence. */
  note: string;
  /** Keys that could still be read, as far as the file gave them. What they held may be lost, or older than it should be. */
  keys: string[];
  /** More may be hit between these: behind `after`, up to and including `upTo`. */
  range?: { after?: string; upTo?: string };
  /** Name of the damaged file. */
  file?: string;
}

export interface NotedDamage extends Damage { at: string }

export type OnDamage = (damage: Damage) => void;

const MAX_NOTED = 1000;
const REMEMBER_MS = 30 * 86_400_000;

/** A list of damage in a file, each noted once. */
export class DamageList {
  readonly #path: string;
  readonly #known = new Set<string>();
  #noted: Promise<NotedDamage[]> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns whether it is news. A list that cannot be written is no reason to fail: the log has the same line. */
  async note(damage: Damage): Promise<boolean> {
    const at = new Date().toISOString(); // of the machine: this is about what happened to its disk
    const noted = await this.list();
    const identity = identityOf(damage);
    if (this.#known.has(identity) || noted.length >= MAX_NOTED) return false;
    this.#known.add(identity);
    noted.push({ at, ...damage });
    await appendLine(this.#path, JSON.stringify(noted.at(-1))).catch(() => {});
    return true;
  }

  /** Oldest first. */
  list(): Promise<NotedDamage[]> {
    this.#noted ??= readList(this.#path).then((noted) => {
      for (const damage of noted) this.#known.add(identityOf(damage));
      return noted;
    });
    return this.#noted;
  }

  /** Who it concerns has seen to it; what is met again is news. */
  async forget(): Promise<void> {
    await rm(this.#path, { force: true });
    this.#known.clear();
    this.#noted = Promise.resolve([]);
  }

  /** Whether records were lost lately, so that what nothing refers to may have belonged to one. */
  async lostRecords(): Promise<boolean> {
    return (await this.list()).some(({ kind, at }) => kind !== 'blob' && Date.now() - Date.parse(at) < REMEMBER_MS);
  }
}

function identityOf({ kind, keys, range, file }: Damage): string {
  return JSON.stringify([kind, keys, range?.after, range?.upTo, file]);
}

/** Each line begins with a line end of its own, so that one which a crash cut spoils no other. */
async function appendLine(path: string, line: string): Promise<void> {
  await appendFile(path, `\n${line}`, { flush: true });
}

async function readList(path: string): Promise<NotedDamage[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as NotedDamage];
    } catch {
      return [];
    }
  });
}
