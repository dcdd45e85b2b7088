// Owns what a RESPONSE frame holds: a whole body, one that streams, or the end of a WebSocket.
import type { Clock } from '../../../core/clock.ts';
import { SpaceError } from '../../../core/errors.ts';
import type { MicroResponse } from '../engine.ts';
import type { ArrivingBody } from './arriving-body.ts';
import type { Live } from './flight.ts';
import { parseResponseHead } from './head.ts';
import type { IsolateLimits } from './limits.ts';
import type { Frame } from './frames.ts';
import { FLAG, readFailure, readOpening } from './protocol.ts';
import type { CellSocket, CellSockets } from './sockets.ts';
import type { CellStreams, OnFailure } from './streams.ts';

interface Answer {
  /** What goes on after the head. */
  body: ArrivingBody | undefined;
  socket: CellSocket | undefined;
  /** @throws MICRO_BAD_RESPONSE */
  response(): MicroResponse;
  /** Nobody wants it. */
  discard(): void;
}

/** @throws ProtocolError */
export function readAnswer(frame: Frame, live: Live | undefined, { streams, sockets, onFailure }: { streams: CellStreams; sockets: CellSockets; onFailure: OnFailure }): Answer {
  const head = frame.latin1();
  const isStream = (frame.flags & FLAG.stream) !== 0;
  const isSocket = isStream && (frame.flags & FLAG.socket) !== 0;
  const socket = isSocket ? sockets.open({ micro: frame.micro, id: readOpening(frame.body).id, owner: frame.id }) : undefined;
  const body = isStream && !isSocket ? streams.open(frame, 0, onFailure) : undefined;
  return {
    body, socket,
    response() {
      if (socket) return upgraded(head, socket, live);
      const { status, headers } = parseResponseHead(head);
      if (!body) return { status, headers: headers.slice(), body: frame.body };
      return { status, headers: headers.slice(), body, ...(body.sizeBytes === undefined ? {} : { sizeBytes: body.sizeBytes }) };
    },
    discard() {
      body?.destroy();
      socket?.drop();
    },
  };
}

/** The request lives as long as its body streams or its socket is open, whoever ends that. */
export function follow(live: Live, { body, socket }: Answer, clock: Clock): void {
  if (!body && !socket) return;
  live.body = body;
  live.socket = socket;
  const ended = (): void => {
    live.body = live.socket = undefined;
    live.until = clock.now() + live.slot.limits.backgroundMs;
  };
  body?.once('close', ended);
  if (socket) socket.onEnd = ended;
}

const SWITCHING = /^101(\n|$)/;

function upgraded(head: string, socket: CellSocket, live: Live | undefined): MicroResponse {
  if (!SWITCHING.test(head)) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'a WebSocket needs the status 101' });
  if (!live?.flight.request.upgrade) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: 'it answers with a WebSocket, but this request did not ask for one' });
  const { headers } = parseResponseHead(head.replace(/^101/, '200'));
  return { status: 101, headers: headers.slice(), body: null, webSocket: { attach: (connection) => socket.attach(connection), refuse: () => socket.drop() } };
}

/** What a FAILED frame says: an error for the caller, a text for the log. @throws ProtocolError */
export function failureOf(json: string, { bodyMaxBytes, hopsMax }: IsolateLimits): { error: SpaceError; text: string } {
  const { code, reason, stack } = readFailure(json);
  const text = stack === '' ? reason : stack;
  switch (code) {
    case 'PAYLOAD_TOO_LARGE': return { error: new SpaceError(code, { limitBytes: bodyMaxBytes }), text };
    case 'MICRO_LOOP': return { error: new SpaceError(code, { limit: hopsMax }), text };
    case 'MICRO_BAD_RESPONSE': return { error: new SpaceError(code, { reason }), text };
    default: return { error: new SpaceError('MICRO_THREW', { reason }), text };
  }
}
