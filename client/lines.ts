// Owns how an answer that goes on is read line by line. Must not know what the lines mean.
import { HostUnreachable } from './transport.ts';

/** Lines without their ends, as they arrive; ends with the answer.
 *  @throws HostUnreachable when the connection breaks off; the reason of `signal` when that ended it */
export async function* readLines(response: Response, signal?: AbortSignal): AsyncGenerator<string> {
  if (response.body === null) return;
  let rest = '';
  try {
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.replace(/\r$/, '');
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new HostUnreachable(response.url, 'the connection broke off', { cause: error });
  }
  if (rest !== '') yield rest;
}
