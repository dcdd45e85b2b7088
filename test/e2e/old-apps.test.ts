// Apps in the shape of those that were written for Deta Space, unmodified: the SDK found by name, in Node, Python in both ways
// and Go; Micros that call each other by DETA_SPACE_APP_HOSTNAME. Pushed, used, asleep and awake, restarted, installed by another.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { installApp, pushApp, releaseApp, startTestHost, until, type Person, type PushedApp, type TestHost } from '../support/start-host.ts';

const succeeds = (command: string, args: string[], cwd: string): boolean => {
  try {
    execFileSync(command, args, { cwd, stdio: 'ignore', timeout: 120_000, env: { ...process.env, CGO_ENABLED: '0' } });
    return true;
  } catch {
    return false;
  }
};
const isOnline = succeeds('npm', ['view', 'deta@1.2.0', 'version'], tmpdir());

const PAGE = `<!doctype html><title>Todos</title><ul id="list"></ul>
<script type="module">for (const { text } of await (await fetch('/node/todos')).json()) list.append(text);</script>`;

const NODE = `import express from 'express';
import { Deta } from 'deta';
const todos = Deta().Base('todos');
const app = express();
app.use(express.json());
app.get('/todos', async (request, response) => response.send((await todos.fetch()).items));
app.post('/todos', async (request, response) => response.send(await todos.put(request.body)));
app.get('/ask/:micro', async (request, response) => {
  const answer = await fetch(\`https://\${process.env.DETA_SPACE_APP_HOSTNAME}/\${request.params.micro}/todos\`, { headers: { 'x-api-key': process.env.DETA_API_KEY } });
  response.status(answer.status).send(await answer.text());
});
app.get('/stranger', async (request, response) => response.sendStatus((await fetch(\`https://\${process.env.DETA_SPACE_APP_HOSTNAME}/flask/todos\`)).status));
app.listen(parseInt(process.env.PORT) || 8080);
`;

const FASTAPI = `from deta import Base
from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

app = FastAPI()
pages = Jinja2Templates(directory="templates")
todos = Base("todos")


class Todo(BaseModel):
    text: str


@app.get("/todos")
async def read():
    return todos.fetch().items


@app.get("/page")
async def page(request: Request):
    return pages.TemplateResponse("page.html", {"request": request, "count": len(todos.fetch().items)})


@app.post("/todos", status_code=201)
async def add(todo: Todo):
    return todos.put({"text": todo.text})
`;

const FLASK = `import os
import urllib.request
from deta import Deta
from flask import Flask, request

app = Flask(__name__)
deta = Deta(os.environ["DETA_PROJECT_KEY"])
todos, notes = deta.Base("todos"), deta.Drive("notes")


@app.route("/todos", methods=["GET", "POST"])
def all_todos():
    return todos.put(request.json) if request.method == "POST" else todos.fetch().items


@app.route("/notes/<name>", methods=["GET", "PUT"])
def note(name):
    return notes.put(name, request.data) if request.method == "PUT" else notes.get(name).read()


@app.route("/ask/<micro>")
def ask(micro):
    url = f"https://{os.environ['DETA_SPACE_APP_HOSTNAME']}/{micro}/todos"
    return urllib.request.urlopen(urllib.request.Request(url, headers={"X-API-Key": os.environ["DETA_API_KEY"]})).read()
`;

const GO = `package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"

	"github.com/deta/deta-go/deta"
	"github.com/deta/deta-go/service/base"
)

type Todo struct {
	Key  string \`json:"key"\`
	Text string \`json:"text"\`
}

func main() {
	d, err := deta.New()
	if err != nil {
		panic(err)
	}
	todos, _ := base.New(d, "todos")
	http.HandleFunc("/todos", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			var todo Todo
			json.NewDecoder(r.Body).Decode(&todo)
			if _, err := todos.Put(&todo); err != nil {
				http.Error(w, err.Error(), 500)
			}
			return
		}
		var all []Todo
		if _, err := todos.Fetch(&base.FetchInput{Dest: &all}); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		json.NewEncoder(w).Encode(all)
	})
	http.HandleFunc("/ask/", func(w http.ResponseWriter, r *http.Request) {
		request, _ := http.NewRequest("GET", "https://"+os.Getenv("DETA_SPACE_APP_HOSTNAME")+r.URL.Path[4:]+"/todos", nil)
		request.Header.Set("X-API-Key", os.Getenv("DETA_API_KEY"))
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		io.Copy(w, answer.Body)
	})
	http.ListenAndServe(":"+os.Getenv("PORT"), nil)
}
`;

/** Built here, where the standard library is compiled already, and pushed as a program. @returns undefined where that is not possible */
async function goProgram(): Promise<Buffer | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'go-micro-'));
  try {
    await writeFile(join(folder, 'main.go'), GO);
    await writeFile(join(folder, 'go.mod'), 'module todos\n\ngo 1.19\n\nrequire github.com/deta/deta-go v1.0.0\n');
    return succeeds('go', ['mod', 'tidy'], folder) && succeeds('go', ['build', '-o', 'main', '.'], folder) ? await readFile(join(folder, 'main')) : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
const go = isOnline ? await goProgram() : undefined;
const hasGo = go !== undefined;

const GO_MICRO = ['  - name: go', '    src: go', '    path: go', '    engine: custom', '    commands:', '      - chmod +x main', '    include:', '      - main', '    run: ./main'];
const FILES = {
  Spacefile: [
    'v: 0', 'micros:',
    '  - name: web', '    src: web', '    engine: static', '    serve: .', '    primary: true',
    '  - name: node', '    src: node', '    engine: nodejs16', '    path: node', '    run: node index.js',
    '  - name: fast', '    src: fast', '    engine: python3.9', '    path: fast',
    '  - name: flask', '    src: flask', '    engine: python3.9', '    path: flask',
    ...(hasGo ? GO_MICRO : []), '',
  ].join('\n'),
  'web/index.html': PAGE,
  'node/index.js': NODE,
  'node/package.json': '{"private":true,"type":"module","dependencies":{"deta":"^1.1.0","express":"^4.18.2"}}',
  'fast/main.py': FASTAPI,
  'fast/requirements.txt': 'deta~=1.1.0\nfastapi\njinja2\n',
  'fast/templates/page.html': '<p>{{ count }} todos</p>',
  'flask/main.py': FLASK,
  'flask/requirements.txt': 'flask\ndeta',
  ...(go ? { 'go/main': go } : {}),
};
const WRITERS = ['node', 'fast', 'flask', ...(hasGo ? ['go'] : [])];

let host: TestHost;
let app: PushedApp;
let dataFolder: string;
let theirs: WireInstance;

const open = (person: Person, instance: WireInstance, path: string, request: object = {}): Promise<{ status: number; text: string }> => person.visitor.visit(`${instance.url}${path}`, request);
async function textsBy(person: Person, instance: WireInstance, path: string): Promise<string[]> {
  const { status, text } = await open(person, instance, path);
  expect(status, `${path}: ${text}`).toBe(200);
  return (JSON.parse(text) as { text: string }[]).map((todo) => todo.text).sort();
}
async function write(person: Person, instance: WireInstance, micro: string): Promise<void> {
  const answer = await person.visitor.fetch(`${instance.url}${micro}/todos`, { method: 'POST', body: { text: `${person.name} by ${micro}` } });
  expect(answer.status, `${micro}: ${answer.text}`).toBeLessThan(300);
}
const expectedOf = (name: string, writers = WRITERS): string[] => writers.map((micro) => `${name} by ${micro}`).sort();

describe.skipIf(!isOnline)('an app for Deta Space', () => {
  beforeAll(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'ownspace-'));
    host = await startTestHost({ dataFolder });
    app = await pushApp(host.owner, { name: 'todos', files: FILES });
  }, 240_000);
  afterAll(async () => {
    await host?.close();
    await rm(dataFolder, { recursive: true, force: true });
  });

  test('opens, signed in', async () => {
    expect((await open(host.owner, app.builder, '')).text).toContain('<title>Todos</title>');
  });

  test('stores with the SDK of each language, found by name, and reads what the others stored', async () => {
    await Promise.all(WRITERS.map((micro) => write(host.owner, app.builder, micro)));
    for (const micro of WRITERS) expect(await textsBy(host.owner, app.builder, `${micro}/todos`), micro).toEqual(expectedOf('ada'));
    await host.owner.visitor.fetch(`${app.builder.url}flask/notes/a.txt`, { method: 'PUT', body: 'a note' });
    expect((await open(host.owner, app.builder, 'flask/notes/a.txt')).text).toBe('a note');
  });

  test('renders templates as FastAPI did when it was written, though it names no version of it', async () => {
    expect((await open(host.owner, app.builder, 'fast/page')).text).toContain(`<p>${WRITERS.length} todos</p>`);
  });

  test('has Micros that call each other by DETA_SPACE_APP_HOSTNAME, with the key of the app and not without', async () => {
    for (const path of ['node/ask/flask', 'node/ask/fast', 'flask/ask/node', ...(hasGo ? ['go/ask/flask'] : [])]) {
      expect(await textsBy(host.owner, app.builder, path), path).toEqual(expectedOf('ada'));
    }
    expect((await open(host.owner, app.builder, 'node/stranger')).status).toBe(401);
  });

  test('sleeps, and has everything when it wakes', async () => {
    host.clock.advance(901_000);
    await until(async () => { host.clock.advance(1_000); return (await host.owner.call('GET /host')).json().programs.running === 0 ? true : undefined; });
    for (const micro of WRITERS) expect(await textsBy(host.owner, app.builder, `${micro}/todos`), micro).toEqual(expectedOf('ada'));
  });

  test('is a thing of its own in the Space of somebody else', async () => {
    theirs = (await installApp(host.member, await releaseApp(host.owner, app, { version: '1.0.0' }))).instance;
    expect(await textsBy(host.member, theirs, 'node/todos')).toEqual([]);
    await write(host.member, theirs, 'fast');
    expect(await textsBy(host.member, theirs, 'node/ask/flask')).toEqual(expectedOf('bob', ['fast']));
    expect(await textsBy(host.owner, app.builder, 'flask/todos')).toEqual(expectedOf('ada'));
  });

  test('has everything after a restart of the host', async () => {
    await host.close();
    host = await startTestHost({ dataFolder });
    const again = async (person: Person, { id }: WireInstance): Promise<WireInstance> => (await person.call(`GET /instances/${id}`)).json();
    expect(await textsBy(host.owner, await again(host.owner, app.builder), 'flask/ask/fast')).toEqual(expectedOf('ada'));
    expect(await textsBy(host.member, await again(host.member, theirs), 'node/todos')).toEqual(expectedOf('bob', ['fast']));
  });
});
