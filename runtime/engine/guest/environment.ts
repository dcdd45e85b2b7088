// Owns `env`, `ctx` and the module "deta": what the code of a Micro is given.
import { Base } from './base.ts';
import { current, emit, RECORD } from './bridge.ts';
import { Drive } from './drive.ts';
import { fetchMicro } from './fetch.ts';
import { OwnMap } from './own-map.ts';

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
const background = new OwnMap<number, number>();

/** How much work goes on for a request after its answer. */
export function backgroundOf(id: number): number {
  return background.get(id) ?? 0;
}

/** The request is not done before this many more `finishWork`: its body streams, its socket is open. */
export function beginWork(id: number): void {
  background.set(id, backgroundOf(id) + 1);
}

const answered = new OwnMap<number, true>();
export function markAnswered(id: number): void {
  if (background.has(id)) answered.set(id, true);
}

export class Context {
  #id: number;
  constructor(id: number) {
    this.#id = id;
  }
  /** Let work go on after the answer, within the background budget. */
  waitUntil(work: unknown): void {
    const id = this.#id;
    const count = background.get(id) ?? 0;
    if (count >= BACKGROUND_MAX) throw new Error(`More than ${BACKGROUND_MAX} pieces of background work.`);
    background.set(id, count + 1);
    const done = (): void => finishWork(id);
    Promise.resolve(work).then(done, (error) => { done(); reportLater(error, id); });
  }
  passThroughOnException(): void {}
}

export function finishWork(id: number): void {
  const left = (background.get(id) ?? 1) - 1;
  if (left > 0) { background.set(id, left); return; }
  background.delete(id);
  if (answered.delete(id)) emit(RECORD.done, id, 0, '', null);
}

let report: (error: unknown, id: number) => void = () => {};
export function useReport(value: (error: unknown, id: number) => void): void {
  report = value;
}
function reportLater(error: unknown, id: number): void {
  report(error, id || current);
}
