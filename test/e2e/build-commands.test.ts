// Covers `commands` of a Spacefile from the push to the answer: in the host's sandbox, or without one where its owner said so.
import { afterEach, expect, test } from 'vitest';
import { send } from '../support/http.ts';
import { pushApp, startTestHost, type TestHost } from '../support/start-host.ts';

const FILES = {
  Spacefile: [
    'v: 0', 'micros:',
    '  - name: app', '    src: .', '    engine: isolate', '    primary: true', '    public: true', '    run: out/app/index.js', '    commands:', '      - node make.mjs',
    '  - name: assets', '    src: .', '    engine: static', '    serve: ./out/assets', '    path: assets', '    public: true', '',
  ].join('\n'),
  'make.mjs': `import { mkdirSync, writeFileSync } from 'node:fs';
    for (const folder of ['out/app', 'out/assets']) mkdirSync(folder, { recursive: true });
    writeFileSync('out/app/index.js', 'export default { fetch: () => new Response("made by a command") };');
    writeFileSync('out/assets/style.css', 'a{}');`,
};

let host: TestHost;
afterEach(() => host?.close());

test.each([['in the sandbox', []], ['with --unsafe-no-sandbox', ['--unsafe-no-sandbox']]])('%s a command makes what runs and what is served', async (_, args) => {
  host = await startTestHost({ args });
  const { builder: { url } } = await pushApp(host.owner, { name: 'made', files: FILES });
  expect((await send(url)).text).toBe('made by a command');
  expect((await send(`${url}assets/style.css`)).text).toBe('a{}');
});
