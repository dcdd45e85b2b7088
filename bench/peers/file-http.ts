// A peer: node:http that pipes request bodies into files and files into answers, and syncs what it wrote before it answers.
// `node file-http.ts FOLDER` prints its port. `POST /?part=N` writes one part, each to a file of its own as
// our parts are; `POST /` joins them as we do not have to, so it is not measured; `GET /` is the whole.
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = ''] = process.argv.slice(2);
const whole = join(folder, 'whole');

const server = createServer((request, response) => {
  const part = new URL(request.url ?? '/', 'http://peer').searchParams.get('part');
  const done = request.method === 'GET' ? pipeline(createReadStream(whole), response) : part === null ? joinParts(Number(request.headers['x-parts'])) : store(join(folder, part));
  done.then(() => response.end(), () => response.destroy());

  async function store(path: string): Promise<void> {
    await pipeline(request, createWriteStream(path, { flush: true }));
  }
});

async function joinParts(parts: number): Promise<void> {
  await (await open(whole, 'w')).close();
  for (let part = 1; part <= parts; part += 1) await pipeline(createReadStream(join(folder, String(part))), createWriteStream(whole, { flags: 'a' }));
}

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit(0));
