// Owns fetch(): a Request becomes a question to the host, its answer a Response.
import type { AbortSignal } from './abort.ts';
import { onAbort } from './abort.ts';
import { takeContent } from './body.ts';
import { abortCall, callHost, current } from './bridge.ts';
import { arrivingBody, arrivingStream, departingStream, failArriving } from './channel.ts';
import { listOf } from './headers.ts';
import { originOf, Request, type RequestInit } from './request.ts';
import type { Response } from './response.ts';
import { receivedResponse } from './response.ts';
import { ReadableStream } from './stream.ts';

export function fetch(input: unknown, init?: RequestInit): Promise<Response> {
  return send(['fetch'], input, init);
}

/** `env.micros.<name>.fetch`: a path is enough for the address. */
export function fetchMicro(name: string, input: unknown, init?: RequestInit): Promise<Response> {
  const address = typeof input === 'string' && input.startsWith('/') ? `http://micro.invalid${input}` : input;
  return send(['micro', name], address, init);
}

async function send(target: string[], input: unknown, init?: RequestInit): Promise<Response> {
  const owner = current;
  const request = new Request(input, init);
  const signal = init?.signal;
  signal?.throwIfAborted();
  const { method, url, redirect } = request;
  const question = [...target, method, url, redirect, listOf(request.headers)];
  const content = takeContent(request._body);
  const asker = originOf(request) || owner;
  const body = content instanceof ReadableStream ? () => departingStream(content, asker) : content;
  let call = 0;
  const answered = callHost(question, body, { owner: asker, onSent: (id) => { call = id; } });
  const answer = await (signal ? abortable(answered, signal, () => abortCall(call)) : answered);
  if (signal && typeof answer.body === 'number') return receivedResponse(answer.meta, abortableStream(answer.body, asker, signal), url);
  return receivedResponse(answer.meta, arrivingBody(answer.body, asker), url);
}

function abortable<T>(call: Promise<T>, signal: AbortSignal, leave: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => { leave(); reject(signal.reason); });
    call.then(resolve, reject).finally(forget);
  });
}

/** An abort also cuts the answer that is still on its way. */
function abortableStream(id: number, owner: number, signal: AbortSignal): ReadableStream {
  const forget = onAbort(signal, () => failArriving(id, signal.reason));
  return arrivingStream(id, owner, forget);
}
