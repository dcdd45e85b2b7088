// Covers real apps from their sources to their answers: Express, FastAPI, a Flask app of the old standard that stores with
// Deta's SDK, and Go, all Micros of one app that is built and run by the host as any other. `npm test` takes those
// with the least to fetch, `npm run test:engines` all.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send } from '../support/http.ts';
import { pushApp, startTestHost, type PushedApp, type TestHost } from '../support/start-host.ts';

const isWhole = process.env['ENGINES'] === 'all';
const hasGo = isWhole && ((): boolean => {
  try {
    return execFileSync('/bin/sh', ['-c', 'PATH=/usr/local/go/bin:/usr/bin:/bin go version'], { encoding: 'utf8' }).startsWith('go');
  } catch {
    return false;
  }
})();

const FILES = {
  Spacefile: [
    'v: 0', 'micros:',
    '  - name: web', '    src: web', '    engine: nodejs16', '    primary: true', '    public: true', '    include:', '      - dist', '    commands:', '      - mkdir dist && cp server.js dist/index.js', '    run: node dist/index.js',
    ...(isWhole ? ['  - name: api', '    src: api', '    engine: python3.9', '    public: true', '    run: uvicorn main:app'] : []),
    '  - name: old', '    src: old', '    engine: python3.8', '    public: true',
    ...(hasGo ? ['  - name: go', '    src: go', '    engine: custom', '    public: true', '    commands:', '      - go build -o bin/server .', '    include:', '      - bin/server', '    run: ./server'] : []), '',
  ].join('\n'),
  'web/package.json': '{"dependencies":{"express":"4.21.2"}}',
  'web/server.js': 'const app = require("express")(); app.get("/hello/:name", (request, response) => response.json({ express: request.params.name })); app.listen(process.env.PORT);',
  'api/requirements.txt': 'fastapi==0.115.12\nuvicorn==0.34.2\n',
  'api/main.py': 'from fastapi import FastAPI\napp = FastAPI()\n\n@app.get("/hello/{name}")\nasync def hello(name: str):\n    return {"fastapi": name}\n',
  'old/requirements.txt': 'flask\ndeta==1.1.0\n',
  'old/main.py': 'from deta import Base, Drive, __version__\nfrom flask import Flask\napp = Flask(__name__)\nnotes = Base("notes")\n\n@app.route("/hello/<name>")\ndef hello(name):\n    notes.put({"name": name}, "last")\n    Drive("files").put("last.txt", name)\n    return {"flask": notes.get("last")["name"], "file": Drive("files").get("last.txt").read().decode(), "sdk": __version__}\n',
  'go/go.mod': 'module server\n\ngo 1.18\n',
  'go/main.go': 'package main\n\nimport (\n\t"net"\n\t"os"\n)\n\nfunc main() {\n\tlistener, _ := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))\n\tfor {\n\t\tconnection, err := listener.Accept()\n\t\tif err != nil {\n\t\t\treturn\n\t\t}\n\t\tgo func() {\n\t\t\tconnection.Read(make([]byte, 65536))\n\t\t\tconnection.Write([]byte("HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\ngo"))\n\t\t\tconnection.Close()\n\t\t}()\n\t}\n}\n',
};

let host: TestHost;
let app: PushedApp;
beforeAll(async () => {
  host = await startTestHost();
  app = await pushApp(host.owner, { name: 'engines', files: FILES });
}, 300_000);
afterAll(() => host?.close());

const at = (path: string): string => `${app.builder.url}${path}`;

const CASES = [
  ['Express, with `include` naming its own files only', 'hello/ada', '{"express":"ada"}', true],
  ['FastAPI, started by uvicorn without a port', 'api/hello/ada', '{"fastapi":"ada"}', isWhole],
  ['a Go program, found by its base name', 'go/x', 'go', hasGo],
] as const;

test.each(CASES.filter(([, , , isPart]) => isPart))('%s answers', async (_, path, text) => {
  expect((await send(at(path))).text).toBe(text);
});

test('an app of the old standard is served, and stores what it is told with Deta\'s SDK', async () => {
  expect((await send(at('old/hello/ada'))).json()).toEqual({ flask: 'ada', file: 'ada', sdk: '1.1.0' });
});

test('the log of the build says what was done', async () => {
  const { text } = await host.owner.call(`GET /builds/${app.buildId}/logs`);
  for (const line of ['[web] Installing dependencies with npm', '[web] Running command: mkdir dist && cp server.js dist/index.js', '[old] Installing requirements with pip', 'All micros built successfully']) expect(text).toContain(line);
});
