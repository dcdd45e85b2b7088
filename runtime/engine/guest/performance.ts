// Owns performance: the time since the isolate began, in whole milliseconds. There is no finer clock inside.
import { defineInterface } from './web-idl.ts';

const PASS = {};
let origin = Date.now();
const { now } = Date;

/** The snapshot was made long before the isolate. */
export function startClock(): void {
  origin = now();
}

export class Performance {
  #pass: unknown;
  constructor(pass?: unknown) {
    if (pass !== PASS) throw new TypeError('Illegal constructor');
    this.#pass = pass;
  }
  get timeOrigin(): number { return this.#start(); }
  now(): number { return now() - this.#start(); }
  toJSON(): object { return { timeOrigin: this.#start() }; }

  #start(): number {
    if (this.#pass !== PASS) throw new TypeError('Illegal invocation');
    return origin;
  }
}
defineInterface(Performance, { length: 0 });

export const performance = new Performance(PASS);
