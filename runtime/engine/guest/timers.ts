// Owns setTimeout and its kin. The isolate keeps its timers itself and tells the Cell only when the next one is due.
// Times are whole milliseconds, as coarse as Date.now(): there is no finer clock inside.
import { current, emit, RECORD, setCurrent } from './bridge.ts';

interface Timer { id: number; due: number; run: (...args: unknown[]) => void; args: unknown[]; everyMs: number; owner: number }

const TIMERS_MAX = 10_000;
const LONGEST_MS = 2 ** 31 - 1;
/** In order of `due`. */
let timers: Timer[] = [];
let lastId = 0;
let announced = 0;

function add(run: unknown, delay: unknown, args: unknown[], repeats: boolean): number {
  if (timers.length >= TIMERS_MAX) throw new Error(`More than ${TIMERS_MAX} timers are set.`);
  const callback = typeof run === 'function' ? run : () => { throw new TypeError('A timer needs a function'); };
  const number = Math.trunc(Number(delay)) || 0;
  const delayMs = number < 0 || number > LONGEST_MS ? 0 : number;
  const timer: Timer = { id: ++lastId, due: Date.now() + delayMs, run: callback as Timer['run'], args, everyMs: repeats ? Math.max(1, delayMs) : 0, owner: current };
  insert(timer);
  return timer.id;
}

function insert(timer: Timer): void {
  let at = timers.length;
  while (at > 0 && timers[at - 1]!.due > timer.due) at--;
  timers.splice(at, 0, timer);
}

export function setTimeout(run: unknown, delay?: unknown, ...args: unknown[]): number {
  return add(run, delay, args, false);
}
export function setInterval(run: unknown, delay?: unknown, ...args: unknown[]): number {
  return add(run, delay, args, true);
}
export function clearTimeout(id?: unknown): void {
  const number = Number(id);
  timers = timers.filter((timer) => timer.id !== number);
}

/** Run what is due. Each callback runs as the request that set it. */
export function runTimers(onError: (error: unknown) => void): void {
  const now = Date.now();
  let budget = timers.length;
  announced = 0;
  while (budget-- > 0 && timers.length > 0 && timers[0]!.due <= now) {
    const timer = timers.shift()!;
    if (timer.everyMs > 0) insert({ ...timer, due: now + timer.everyMs });
    setCurrent(timer.owner);
    try {
      timer.run(...timer.args);
    } catch (error) {
      onError(error);
    }
    setCurrent(0);
  }
}

/** Tell the Cell when to come back, if that changed. */
export function announceTimers(): void {
  const due = timers.length === 0 ? 0 : timers[0]!.due;
  if (due === announced) return;
  announced = due;
  emit(RECORD.timer, 0, 0, String(due === 0 ? -1 : Math.max(0, due - Date.now())), null);
}
