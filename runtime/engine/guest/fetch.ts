// Owns fetch(): a Request becomes a question to the host, its answer a Response.
import { type AbortSignal, onAbort } from './abort.ts';
import { takeContent, readAll } from './body.ts';
import { callHost, current, type OutBody } from './bridge.ts';
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
  const body: OutBody = content instanceof ReadableStream ? await readAll(content) : content;
  const call = callHost(question, body, originOf(request) || owner);
  const answer = await (signal ? abortable(call, signal) : call);
  return receivedResponse(answer.meta, answer.body, url);
}

function abortable<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    call.then(resolve, reject).finally(forget);
  });
}
