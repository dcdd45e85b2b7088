// Owns requests as bytes on a socket, for what no HTTP client would send.
import { connect } from 'node:net';

export interface RawAnswer {
  /** Everything that came back until the connection ended or was silent. */
  text: string;
  /** Status of each answer, in order. */
  statuses: number[];
  closed: boolean;
}

const SILENCE_MS = 250;

/** Send `request` as it is and read until the other side closes or says nothing for a while. */
export function sendRaw(port: number, request: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const finish = (closed: boolean): void => {
      clearTimeout(silence);
      socket.destroy();
      resolve({ text, closed, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)) });
    };
    let silence = setTimeout(() => finish(false), 10 * SILENCE_MS);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      clearTimeout(silence);
      silence = setTimeout(() => finish(false), SILENCE_MS);
    });
    socket.on('error', () => finish(true));
    socket.on('close', () => finish(true));
    socket.on('connect', () => socket.write(request));
  });
}
