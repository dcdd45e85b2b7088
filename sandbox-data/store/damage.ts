// Owns what is known of damage to stored data: which keys, where no key can be read between which, and the list of it
// on the disk, which outlives the Store that it is about. Knows no Base and no Drive.
import { appendFile, readFile } from 'node:fs/promises';
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

/** A list of damage in a file, each noted once. */
export class DamageList {
  readonly #path: string;
  readonly #known = new Set<string>();
  #count = 0;
  #ready: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns whether it is news. A list that cannot be written is no reason to fail: the log has the same line. */
  async note(damage: Damage, at: string): Promise<boolean> {
    this.#ready ??= this.#load();
    await this.#ready;
    const identity = identityOf(damage);
    if (this.#known.has(identity) || this.#count >= MAX_NOTED) return false;
    this.#known.add(identity);
    this.#count += 1;
    await appendLine(this.#path, JSON.stringify({ at, ...damage } satisfies NotedDamage)).catch(() => {});
    return true;
  }

  /** Oldest first. */
  list(): Promise<NotedDamage[]> {
    return readList(this.#path);
  }

  async #load(): Promise<void> {
    for (const damage of await readList(this.#path)) {
      this.#known.add(identityOf(damage));
      this.#count += 1;
    }
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
