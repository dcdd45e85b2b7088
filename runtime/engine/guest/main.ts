// Owns the isolate's inside: global names, the turn, and how answers and failures leave. Compiled into the V8 snapshot.
import { type AskCell, useAskCell } from './ask-cell.ts';
import { abortSignal } from './abort.ts';
import { backgroundOf, beginWork, finishWork, markAnswered } from './background.ts';
import { isTooLarge, useBodyLimits } from './body.ts';
import { type Answer, current, emit, emitLog, flush, isLoop, RECORD, resetShared, setCurrent, settle, takeBuffers, useShared } from './bridge.ts';
import { announce, departingStream, takeCredit, takeData, takeEnd, takeStop } from './channel.ts';
import { Context, createEnv, deta, type Env, useReport } from './environment.ts';
import { installGlobals } from './globals.ts';
import { harden } from './harden.ts';
import { describeError } from './inspect.ts';
import { eventOf, incomingRequest, type Request, startedSignal } from './request.ts';
import { isResponse, spendResponse } from './response.ts';
import { ReadableStream } from './stream.ts';
import { announceTimers, runTimers } from './timers.ts';
import { announceLine, connectToHost, lineId, takeClose, takeMessage, takeSocketCredit, type WebSocket } from './web-socket.ts';
import { OwnMap } from './own-map.ts';
import { startClock } from './performance.ts';

/** Kinds of events that a turn consists of; each is (kind, id, meta, body). */
const EVENT = { request: 1, result: 2, response: 3, failure: 4, timers: 5, cancel: 6, data: 7, end: 8, credit: 9, stop: 10, message: 11, close: 12 } as const;

const scope = globalThis as any;
const queueJob = Promise.resolve();

installGlobals(scope, { queueMicrotask, reportError });

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
/** Undefined where the module has none: what is due is then a request like any other. */
let runScheduled: ((event: unknown, env: Env, context: Context) => unknown) | undefined;
let env: Env = {};
let position = 0;
/** Requests without an answer, to tell them when their caller goes away. */
const open = new OwnMap<number, Request>();
/** Those whose answer still streams. */
const streaming = new OwnMap<number, Request>();

function startRequest(id: number, head: string, body: Answer['body']): void {
  setCurrent(id);
  const request = incomingRequest(id, head, body);
  open.set(id, request);
  try {
    const event = eventOf(request);
    if (event !== undefined && runScheduled) {
      finishScheduled(id, runScheduled(JSON.parse(event), env, new Context(id)));
      setCurrent(0);
      return;
    }
    const result = handle!(request, env, new Context(id));
    if (isResponse(result)) respond(id, result);
    else finishLater(id, result);
  } catch (error) {
    fail(id, 'MICRO_THREW', error);
  }
  setCurrent(0);
}

/** Whatever it returns: that it did not throw is the answer. */
async function finishScheduled(id: number, work: unknown): Promise<void> {
  try {
    await work;
    if (!open.delete(id)) return;
    emit(RECORD.response, id, backgroundOf(id) > 0 ? 1 : 0, '204', null);
    markAnswered(id);
  } catch (error) {
    fail(id, 'MICRO_THREW', error);
  }
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
  const { head, content, webSocket } = spent;
  const request = open.get(id);
  if (!request || !open.delete(id)) return;
  if (webSocket) return sendSocket(id, head, webSocket);
  const body = content instanceof ReadableStream ? sendStream(id, request, content) : content;
  emit(RECORD.response, id, backgroundOf(id) > 0 ? 1 : 0, head, body);
  markAnswered(id);
}

/** The request goes on until its WebSocket is closed. */
function sendSocket(id: number, head: string, webSocket: WebSocket): void {
  const stays = connectToHost(webSocket, id);
  emit(RECORD.response, id, 1, head, lineId(stays));
  markAnswered(id);
  announceLine(stays);
}

/** The request goes on until its body has ended. */
function sendStream(id: number, request: Request, content: ReadableStream): number {
  beginWork(id);
  streaming.set(id, request);
  return departingStream(content, id, (wasStopped) => {
    streaming.delete(id);
    if (wasStopped) abortRequest(request);
    finishWork(id);
  });
}

function badResponse(id: number, reason: string): void {
  fail(id, 'MICRO_BAD_RESPONSE', undefined, reason);
}

function fail(id: number, code: string, error: unknown, text?: string): void {
  if (!open.delete(id)) return;
  const { reason, stack } = text === undefined ? describeError(error) : { reason: text, stack: undefined };
  emit(RECORD.failed, id, backgroundOf(id) > 0 ? 1 : 0, JSON.stringify({ code: isTooLarge(error) ? 'PAYLOAD_TOO_LARGE' : isLoop(error) ? 'MICRO_LOOP' : code, reason, stack }), null);
  markAnswered(id);
}

function handleEvent(kind: number, id: number, meta: any, body: any): void {
  switch (kind) {
    case EVENT.request: return startRequest(id, meta, body);
    case EVENT.result: case EVENT.response:
      if (typeof body === 'number') announce(body);
      return settle(id, false, meta, body);
    case EVENT.failure: return settle(id, true, meta, undefined);
    case EVENT.timers: return runTimers(reportError);
    case EVENT.cancel: return cancel(id);
    case EVENT.data: return takeData(id, body);
    case EVENT.end: return takeEnd(id, meta);
    case EVENT.credit: return void (takeSocketCredit(id, meta) || takeCredit(id, meta));
    case EVENT.message: return takeMessage(id, body);
    case EVENT.close: return takeClose(id, meta);
    case EVENT.stop: return takeStop(id);
  }
}

function cancel(id: number): void {
  const request = open.get(id) ?? streaming.get(id);
  open.delete(id);
  if (request) abortRequest(request);
}

/** Nobody waits for its answer any more. */
function abortRequest(request: Request): void {
  const signal = startedSignal(request);
  if (signal) abortSignal(signal, undefined);
}

/** One turn: events one after the other. Nothing that a guest throws leaves from here. */
function turn(...events: any[]): void {
  resetShared();
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
function adopt(driver: { isDone: boolean; micro: { default?: any } }, variables: string, micros: string): string {
  let handler;
  try {
    // Neither can be read before the module has run to its end.
    if (!driver.isDone) return 'wait';
    handler = driver.micro.default;
  } catch {
    return 'wait';
  }
  delete scope.__deta;
  try {
    const run = typeof handler === 'function' ? handler : handler?.fetch;
    if (typeof run !== 'function') return 'the module has no default export with a fetch function';
    handle = (request, given, context) => run.call(handler, request, given, context);
    const scheduled = handler.scheduled;
    if (typeof scheduled === 'function') runScheduled = (event, given, context) => scheduled.call(handler, event, given, context);
    env = createEnv(JSON.parse(variables), JSON.parse(micros));
    return 'ok';
  } catch (error) {
    return describeError(error).reason;
  }
}

/** The Cell's only way in; gone from the global scope before any guest code runs. */
scope.__boot = (askCell: AskCell, bodyMaxBytes: number, dataMaxBytes: number, shared: SharedArrayBuffer) => {
  delete scope.__boot;
  // Not in the snapshot: V8 itself still finishes the global scope when it makes a context from one.
  harden(scope);
  startClock();
  useAskCell(askCell);
  useBodyLimits(bodyMaxBytes, dataMaxBytes);
  useShared(shared);
  Object.defineProperty(scope, '__deta', { value: deta, configurable: true, enumerable: false });
  return { turn, collect, takeBuffers, progress, adopt };
};
