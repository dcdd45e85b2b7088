// Owns the isolate's inside: global names, the turn, and how answers and failures leave. Compiled into the V8 snapshot.
import { AbortController, AbortSignal, abortSignal } from './abort.ts';
import { Blob, File } from './blob.ts';
import { type AskCell, current, emit, emitLog, flush, RECORD, setCurrent, settle, takeBuffers } from './bridge.ts';
import { console } from './console.ts';
import { crypto, useRandom } from './crypto.ts';
import './dom-exception.ts';
import { atob, btoa, TextDecoder, TextEncoder } from './encoding.ts';
import { backgroundOf, Context, createEnv, deta, type Env, markAnswered, useReport } from './environment.ts';
import { fetch } from './fetch.ts';
import { CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent } from './events.ts';
import { FormData } from './form-data.ts';
import { harden } from './harden.ts';
import { Headers } from './headers.ts';
import { describeError } from './inspect.ts';
import { incomingRequest, Request, startedSignal } from './request.ts';
import { isResponse, Response, spendResponse } from './response.ts';
import * as streams from './stream.ts';
import { refuseToClone, structuredClone } from './structured-clone.ts';
import { announceTimers, clearTimeout, runTimers, setInterval, setTimeout } from './timers.ts';
import { URL, URLSearchParams, useAskCell } from './url.ts';
import { URLPattern } from 'urlpattern-polyfill';
import { OwnMap } from './own-map.ts';

/** Kinds of events that a turn consists of; each is (kind, id, meta, body). */
const EVENT = { request: 1, result: 2, response: 3, failure: 4, timers: 5, cancel: 6 } as const;

const scope = globalThis as any;
const queueJob = Promise.resolve();

installGlobals();

function installGlobals(): void {
  const names = {
    AbortController, AbortSignal, Blob, CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, File, FormData, Headers, MessageEvent, Request, Response,
    ...streams.classes, TextDecoder, TextEncoder, URL, URLPattern, URLSearchParams, atob, btoa, clearTimeout, clearInterval: clearTimeout, console, crypto, fetch, setInterval,
    setTimeout, structuredClone, queueMicrotask, reportError, self: scope,
    performance: { now: () => Date.now() - started, get timeOrigin() { return started; } },
  };
  for (const [name, value] of Object.entries(names)) Object.defineProperty(scope, name, { value, writable: true, configurable: true, enumerable: false });
}

refuseToClone([AbortController, Event, EventTarget, FormData, Headers, Request, Response, URL, URLSearchParams, ...Object.values(streams.classes)] as any);

let started = Date.now();

function queueMicrotask(job: unknown): void {
  if (typeof job !== 'function') throw new TypeError('queueMicrotask needs a function');
  queueJob.then(() => { try { job(); } catch (error) { reportError(error); } });
}

function reportError(error: unknown): void {
  const { reason, stack } = describeError(error);
  emitLog('error', `Uncaught ${stack ?? reason}`);
}
useReport((error, id) => { setCurrent(id); reportError(error); setCurrent(0); });

let handle: ((request: Request, env: Env, context: Context) => unknown) | undefined;
let env: Env = {};
let position = 0;
/** Requests without an answer, to tell them when their caller goes away. */
const open = new OwnMap<number, Request>();

function startRequest(id: number, head: string, body: string | ArrayBuffer | undefined): void {
  setCurrent(id);
  const request = incomingRequest(id, head, body);
  open.set(id, request);
  try {
    const result = handle!(request, env, new Context(id));
    if (isResponse(result)) respond(id, result);
    else finishLater(id, result);
  } catch (error) {
    fail(id, 'MICRO_THREW', error);
  }
  setCurrent(0);
}

async function finishLater(id: number, result: unknown): Promise<void> {
  try {
    respond(id, await result);
  } catch (error) {
    fail(id, 'MICRO_THREW', error);
  }
}

function respond(id: number, result: unknown): void {
  if (!isResponse(result)) {
    badResponse(id, `the handler returned ${result === undefined ? 'nothing' : `a ${result === null ? 'null' : typeof result}`} instead of a Response`);
    return;
  }
  let spent;
  try {
    spent = spendResponse(result);
  } catch (error) {
    badResponse(id, error instanceof TypeError ? error.message.replace(/\.$/, '') : 'the Response cannot be read');
    return;
  }
  const { head, content } = spent;
  if (content instanceof Promise) sendLater(id, head, content);
  else send(id, head, content);
}

async function sendLater(id: number, head: string, content: Promise<Uint8Array>): Promise<void> {
  try {
    send(id, head, await content);
  } catch (error) {
    fail(id, 'MICRO_THREW', error);
  }
}

function send(id: number, head: string, content: string | Uint8Array | null): void {
  if (!open.delete(id)) return;
  emit(RECORD.response, id, backgroundOf(id) > 0 ? 1 : 0, head, content);
  markAnswered(id);
}

function badResponse(id: number, reason: string): void {
  fail(id, 'MICRO_BAD_RESPONSE', undefined, reason);
}

function fail(id: number, code: string, error: unknown, text?: string): void {
  if (!open.delete(id)) return;
  const { reason, stack } = text === undefined ? describeError(error) : { reason: text, stack: undefined };
  emit(RECORD.failed, id, backgroundOf(id) > 0 ? 1 : 0, JSON.stringify({ code, reason, stack }), null);
  markAnswered(id);
}

function handleEvent(kind: number, id: number, meta: string, body: string | ArrayBuffer | undefined): void {
  switch (kind) {
    case EVENT.request: return startRequest(id, meta, body);
    case EVENT.result: case EVENT.response: return settle(id, false, meta, body);
    case EVENT.failure: return settle(id, true, meta, undefined);
    case EVENT.timers: return runTimers(reportError);
    case EVENT.cancel: return cancel(id);
  }
}

function cancel(id: number): void {
  const request = open.get(id);
  open.delete(id);
  const signal = request && startedSignal(request);
  if (signal) abortSignal(signal, undefined);
}

/** One turn: events one after the other. Nothing that a guest throws leaves from here. */
function turn(...events: any[]): void {
  for (position = 0; position < events.length; position += 4) {
    try {
      handleEvent(events[position], events[position + 1], events[position + 2], events[position + 3]);
    } catch (error) {
      reportError(error);
    }
  }
}

/** After a turn: what is to be sent. */
function collect(): string {
  announceTimers();
  return flush();
}

/** After a turn that was stopped: how far it came, and whose code ran. */
function progress(): string {
  return `${position / 4} ${current}`;
}

/** Take the module's handler, once it is there. @returns 'wait', 'ok', or what is wrong */
function adopt(driver: { micro: { default?: any } }, variables: string, micros: string): string {
  let handler;
  try {
    handler = driver.micro.default;
  } catch {
    return 'wait';
  }
  delete scope.__deta;
  try {
    const run = typeof handler === 'function' ? handler : handler?.fetch;
    if (typeof run !== 'function') return 'the module has no default export with a fetch function';
    handle = (request, given, context) => run.call(handler, request, given, context);
    env = createEnv(JSON.parse(variables), JSON.parse(micros));
    return 'ok';
  } catch (error) {
    return describeError(error).reason;
  }
}

/** The Cell's only way in; gone from the global scope before any guest code runs. */
scope.__boot = (askCell: AskCell) => {
  delete scope.__boot;
  // Not in the snapshot: V8 itself still finishes the global scope when it makes a context from one.
  harden(scope);
  started = Date.now();
  useAskCell(askCell);
  useRandom(askCell);
  Object.defineProperty(scope, '__deta', { value: deta, configurable: true, enumerable: false });
  return { turn, collect, takeBuffers, progress, adopt };
};
