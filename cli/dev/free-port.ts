// Owns which ports of this machine are free.
import { connect } from 'node:net';
import { Failure } from '../failure.ts';

const ATTEMPTS = 100;

/** The first port from `first` on where nothing listens. @param taken ports that are meant for others @throws Failure PORT_NONE_FREE */
export async function freePort(first: number, taken: readonly number[] = []): Promise<number> {
  for (let port = first; port < first + ATTEMPTS; port += 1) {
    if (!taken.includes(port) && !(await isListening(port))) return port;
  }
  throw new Failure({ code: 'PORT_NONE_FREE', what: `All ports from ${first} to ${first + ATTEMPTS - 1} are in use.`, remedy: 'Name a free one: --port N.' });
}

/** Programs may listen on one of the two loopbacks only. */
export async function isListening(port: number): Promise<boolean> {
  const answers = await Promise.all(['127.0.0.1', '::1'].map((host) => canConnect(port, host)));
  return answers.includes(true);
}

/** The loopback address where somebody listens. */
export async function loopbackOf(port: number): Promise<string | undefined> {
  for (const host of ['127.0.0.1', '::1']) if (await canConnect(port, host)) return host;
  return undefined;
}

function canConnect(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(1000, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
