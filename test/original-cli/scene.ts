// Owns what the tests of the original CLI share: one host with two people, and an app as it was written for Deta Space.
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { settleGuest, settleOwner, type Resident } from '../e2e/people.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { openOriginal, type OriginalCli } from './original.ts';

export interface Scene extends AsyncDisposable {
  host: HostProcess;
  /** The owner of the host, with the original CLI, signed in by SPACE_ACCESS_TOKEN. */
  ada: Resident;
  original: OriginalCli;
  /** Somebody else. */
  bob: Resident;
  bobs: OriginalCli;
  /** A folder of an app, gone with the scene. */
  folder(files?: Record<string, string | Buffer>): Promise<string>;
  /** The same, made a project of ada's with `space new`. @returns also the project's id */
  project(name: string, files?: Record<string, string | Buffer>): Promise<{ dir: string; id: string }>;
}

export const SPACEFILE = `# Spacefile Docs: https://go.deta.dev/docs/spacefile/v0
v: 0
icon: ./icon.png
app_name: Greeter
micros:
  - name: web
    src: ./web
    engine: static
    primary: true
    serve: ./
    public: true
  - name: api
    src: ./api
    engine: nodejs16
    path: api
    run: node index.js
    dev: node index.js
    provide_actions: true
    presets:
      env:
        - name: GREETING
          description: what is said
          default: hello
        - name: SECRET
          description: nobody knows
    actions:
      - id: tidy
        name: Tidy up
        trigger: schedule
        default_interval: "0/15 * * * *"
`;

const API = `const http = require('http');
const ACTIONS = { actions: [{ name: 'greet', title: 'Greet', path: '/greet', input: [{ name: 'who', type: 'string' }], output: '@deta/raw' }] };
http.createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; }).on('end', () => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/__space/actions') return response.end(JSON.stringify(ACTIONS));
    if (request.url === '/__space/v0/actions') return response.end(JSON.stringify({ tidied: JSON.parse(body).event.id }));
    if (request.url === '/greet') return response.end(JSON.stringify({ text: 'hello ' + JSON.parse(body).who }));
    response.end(JSON.stringify({ greeting: process.env.GREETING, secret: process.env.SECRET, url: request.url, hasKey: Boolean(process.env.DETA_PROJECT_KEY) }));
  });
}).listen(process.env.PORT);
`;

export async function setScene(): Promise<Scene> {
  const host = await startHostProcess();
  const ada = await settleOwner(host);
  const bob = await settleGuest(host, ada);
  const original = await openOriginal(host.root, ada.token);
  const bobs = await openOriginal(host.root, bob.token);
  const folders: string[] = [];
  const icon = await readFile(join(CHECKOUT, 'examples', 'guestbook', 'icon.png'));
  const app = { Spacefile: SPACEFILE, 'icon.png': icon, 'web/index.html': '<h1>hi</h1>\n', 'api/index.js': API, 'api/package.json': '{"name":"api","version":"1.0.0"}\n' };

  async function folder(files: Record<string, string | Buffer> = app): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'greeter-'));
    folders.push(dir);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), content);
    }
    return dir;
  }

  return {
    host, ada, bob, original, bobs, folder,
    async project(name, files) {
      const dir = await folder(files);
      expect(await original.run(['new', '--name', name], { cwd: dir })).toMatchObject({ code: 0 });
      return { dir, id: await linkedId(dir) };
    },
    async [Symbol.asyncDispose]() {
      for (const one of [original, bobs, ada, bob, host]) await one[Symbol.asyncDispose]();
      await Promise.all(folders.map(removeFolder));
    },
  };
}

/** The project that a folder is linked to. */
export async function linkedId(dir: string): Promise<string> {
  return (JSON.parse(await readFile(join(dir, '.space', 'meta'), 'utf8')) as { id: string }).id;
}

/** What a page of an Instance or of Discovery shows after a push or a release. */
export function urlIn(out: string, label: 'Builder instance' | 'Release'): string {
  const url = new RegExp(`${label}: (http\\S+)`).exec(out)?.[1];
  expect(url, out).toBeDefined();
  return url as string;
}
