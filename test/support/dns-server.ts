// Owns a DNS server on loopback that knows TXT records only: real questions over UDP, answers as a test sets them.
import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

export interface DnsServer {
  /** For `OWNSPACE_DNS`. */
  address: string;
  /** By name; each record is one text. Whoever is not here is not there at all. */
  records: Map<string, string[]>;
  /** Names that were asked for. */
  asked: string[];
  /** Say that something is wrong with the server. */
  isFailing: boolean;
  close(): Promise<void>;
}

const TXT = 16;

export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const server: DnsServer = {
    address: '', records: new Map(), asked: [], isFailing: false,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
  socket.on('message', (question, peer) => {
    const { name, end } = readName(question);
    server.asked.push(name);
    const texts = server.isFailing ? 'failing' : server.records.get(name.toLowerCase());
    socket.send(answerTo(question.subarray(0, end + 4), texts), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  server.address = `127.0.0.1:${(socket.address() as AddressInfo).port}`;
  return server;
}

function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.'), end: at + 1 };
}

/** @param question head, name, type and class */
function answerTo(question: Buffer, texts: string[] | 'failing' | undefined): Buffer {
  const head = Buffer.from(question.subarray(0, 12));
  const records = Array.isArray(texts) ? texts : [];
  head.writeUInt16BE(texts === 'failing' ? 0x8182 : texts === undefined ? 0x8183 : 0x8180, 2);
  for (const [at, count] of [[4, 1], [6, records.length], [8, 0], [10, 0]] as const) head.writeUInt16BE(count, at);
  return Buffer.concat([head, question.subarray(12), ...records.map(record)]);
}

/** A long text travels in pieces of 255 bytes. */
function record(text: string): Buffer {
  const pieces = text.match(/[\s\S]{1,255}/g) ?? [''];
  const data = Buffer.concat(pieces.flatMap((piece) => [Buffer.from([piece.length]), Buffer.from(piece, 'latin1')]));
  const head = Buffer.from([0xc0, 12, 0, TXT, 0, 1, 0, 0, 0, 1, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
