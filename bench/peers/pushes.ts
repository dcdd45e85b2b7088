// A program: pushes by many people at once, from a process of its own. `node pushes.ts PORT PEOPLE`, where PEOPLE is JSON: of each
// an access token, a Project, and how many pushes. Prints a JSON list of the seconds after which each person's pushes were built.
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { ask } from '../http.ts';

interface Pusher { token: string; projectId: string; pushes: number }

const [port = '', peopleText = ''] = process.argv.slice(2);
const SPACEFILE = 'v: 0\nmicros:\n  - name: main\n    src: .\n    engine: isolate\n    primary: true\n';
const headersOf = ({ token }: Pusher, type = 'application/json'): Record<string, string> => ({ 'host': `localhost:${port}`, 'authorization': `Bearer ${token}`, 'content-type': type });
const urlOf = (path: string): string => `http://127.0.0.1:${port}/api/v0${path}`;

/** No two are the same: each is built. */
async function sourceOf(person: number, push: number): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(SPACEFILE), 'Spacefile');
  for (let part = 0; part < 20; part += 1) zip.addBuffer(Buffer.from(`export const part${part} = ${JSON.stringify(`person ${person}, push ${push} `.repeat(200))};\n`), `part${part}.js`);
  const imports = Array.from({ length: 20 }, (_, part) => `import { part${part} } from './part${part}.js';`);
  zip.addBuffer(Buffer.from(`${imports.join('\n')}\nexport default { fetch: () => new Response(part0 + part19) };\n`), 'index.js');
  zip.end();
  return buffer(zip.outputStream);
}

async function upload(pusher: Pusher, id: string, content: Buffer): Promise<void> {
  const answer = await new Promise<number>((resolve, reject) => {
    request(urlOf(`/builds/${id}/code`), { method: 'POST', headers: { ...headersOf(pusher, 'application/zip'), 'content-length': content.length } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0)).on('error', reject);
    }).on('error', reject).end(content);
  });
  if (answer > 299) throw new Error(`a push was refused with ${answer}`);
}

async function push(pusher: Pusher, source: Buffer, began: number): Promise<number> {
  const made = await ask({ url: urlOf('/builds'), method: 'POST', headers: headersOf(pusher), body: JSON.stringify({ app_id: pusher.projectId, tag: '' }) });
  const { id } = JSON.parse(made.body) as { id: string };
  await upload(pusher, id, source);
  // As the command does it: the log ends with the build.
  await ask({ url: urlOf(`/builds/${id}/logs?follow=true`), headers: headersOf(pusher) });
  const { status } = JSON.parse((await ask({ url: urlOf(`/builds/${id}`), headers: headersOf(pusher) })).body) as { status: string };
  if (status !== 'complete') throw new Error(`a build is ${status}`);
  return (performance.now() - began) / 1000;
}

const people = JSON.parse(peopleText) as Pusher[];
const sources = await Promise.all(people.map(({ pushes }, person) => Promise.all(Array.from({ length: pushes }, (_, at) => sourceOf(person, at)))));
const began = performance.now();
const times = await Promise.all(people.map((pusher, person) => Promise.all((sources[person] ?? []).map((source) => push(pusher, source, began)))));
console.log(JSON.stringify(times.map((each) => each.toSorted((left, right) => left - right))));
