// Owns what counts as healthy after an update: every Micro starts and answers `GET /` with a status below 500. Knows not
// what follows from it.
import { isSpaceError, toSpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Clock } from '../../core/clock.ts';
import type { Engine, MicroRequest } from '../engine/engine.ts';
import { cleanRequestHeaders } from '../http/headers.ts';
import type { LiveInstance, RevisionMicro } from './live.ts';

/** `text` is for the owner of the Instance; it may hold what its code says. */
export interface HealthProblem { micro: string; code: string; text: string }

export interface HealthParts {
  engineFor(micro: RevisionMicro): Engine;
  clock: Clock;
  /** Of the Instance, such as `http://label.localhost:4400`. */
  origin: string;
}

/** Requests to the app wait as long. */
const TIMEOUT_MS = 60_000;
/** A machine that has too much to do is no fault of the app. */
const BUSY_ATTEMPTS = 5;
const BUSY_PAUSE_MS = 1_000;

/** All Micros at once. @returns the first that is not healthy */
export async function checkHealth(live: LiveInstance, parts: HealthParts): Promise<HealthProblem | undefined> {
  const found = await Promise.all(live.revision.micros.map((micro) => problemOf(live, micro, parts)));
  return found.find((problem) => problem !== undefined);
}

async function problemOf(live: LiveInstance, micro: RevisionMicro, parts: HealthParts): Promise<HealthProblem | undefined> {
  const problem = (code: string, reason: string): HealthProblem => ({ micro: micro.name, code, text: `Micro \`${micro.name}\`: ${reason}` });
  try {
    const status = await ask(live, micro, parts);
    return status < 500 ? undefined : problem(`STATUS_${status}`, `it answered \`GET /\` with status ${status}.`);
  } catch (error) {
    const { code, message } = toSpaceError(error);
    return problem(code, message);
  }
}

async function ask(live: LiveInstance, micro: RevisionMicro, parts: HealthParts): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await askOnce(live, micro, parts);
    } catch (error) {
      if (!isSpaceError(error, 'MICRO_BUSY') || attempt === BUSY_ATTEMPTS) throw error;
      await new Promise<void>((resolve) => parts.clock.after(BUSY_PAUSE_MS, resolve));
    }
  }
}

async function askOnce({ spec }: LiveInstance, micro: RevisionMicro, { engineFor, clock, origin }: HealthParts): Promise<number> {
  const late = new AbortController();
  const cancel = clock.after(TIMEOUT_MS, () => late.abort());
  try {
    const { status, body } = await engineFor(micro).fetch(spec, micro.name, requestTo(origin, late.signal));
    if (body !== null && !(body instanceof Uint8Array)) body.on('error', () => {}).destroy();
    return status;
  } finally {
    cancel();
  }
}

function requestTo(origin: string, signal: AbortSignal): MicroRequest {
  const id = newId('request');
  const { host, protocol } = new URL(origin);
  const { headers } = cleanRequestHeaders(['accept', '*/*', 'user-agent', 'Ownspace-Check'], { host, proto: protocol === 'https:' ? 'https' : 'http', clientAddress: '127.0.0.1', requestId: id });
  return { id, method: 'GET', url: `${new URL(origin).origin}/`, headers, body: null, hops: 0, signal };
}
