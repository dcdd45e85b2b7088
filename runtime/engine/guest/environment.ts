// Owns `env`, `ctx` and the module "deta": what the code of a Micro is given.
import { backgroundOf, beginWork, finishWork } from './background.ts';
import { Base } from './base.ts';
import { current } from './bridge.ts';
import { Drive } from './drive.ts';
import { fetchMicro } from './fetch.ts';

export type Env = Record<string, unknown>;

/** Variables, `Base`, `Drive` and `micros`, in a plain object. */
export function createEnv(variables: Record<string, string>, micros: string[]): Env {
  const siblings: Record<string, unknown> = Object.create(null);
  for (const name of micros) siblings[name] = { fetch: (input: unknown, init?: object) => fetchMicro(name, input, init) };
  return { ...variables, Base: (name: string) => new Base(name), Drive: (name: string) => new Drive(name), micros: siblings };
}

/** What `import { Base, Drive, Deta } from "deta"` gives. Keys are not needed here: an Instance has one Collection. */
export const deta = {
  Base: (name: string) => new Base(name),
  Drive: (name: string) => new Drive(name),
  Deta: () => ({ Base: (name: string) => new Base(name), Drive: (name: string) => new Drive(name) }),
};

const BACKGROUND_MAX = 1_000;

export class Context {
  #id: number;
  constructor(id: number) {
    this.#id = id;
  }
  /** Let work go on after the answer, within the background budget. */
  waitUntil(work: unknown): void {
    const id = this.#id;
    if (backgroundOf(id) >= BACKGROUND_MAX) throw new Error(`More than ${BACKGROUND_MAX} pieces of background work.`);
    beginWork(id);
    const done = (): void => finishWork(id);
    Promise.resolve(work).then(done, (error) => { done(); reportLater(error, id); });
  }
  passThroughOnException(): void {}
}

let report: (error: unknown, id: number) => void = () => {};
export function useReport(value: (error: unknown, id: number) => void): void {
  report = value;
}
function reportLater(error: unknown, id: number): void {
  report(error, id || current);
}
