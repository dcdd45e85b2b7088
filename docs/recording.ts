// Makes the terminal recording of docs/first-app.md anew: a real host, the first commands of that page in a real shell, each line
// at the time at which it came, until the app answers in a browser that is signed in. A drawing that moves by itself, and stands
// still at its end. Run it after what the command prints has changed: node_modules/.bin/node docs/recording.ts
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, removeFolder, startHostProcess } from '../test/support/host-process.ts';
import { send, Visitor } from '../test/support/http.ts';

interface Line { atMs: number; text: string; kind: 'typed' | 'said' | 'end' }

const PASSWORD = 'only for this recording';
/** People type: the time is part of the recording, and of what is measured. */
const TYPED_MS = 45;
const [FONT, ROW, LEFT, TOP, WIDTH] = [14, 22, 24, 58, 1100];
const COLOURS = { typed: '#e9ecf8', said: '#a7b0cd', end: '#f2b67c' };

/** The first block of the page, as single commands. */
async function commandsOfPage(): Promise<string[]> {
  const page = await readFile(join(CHECKOUT, 'docs', 'first-app.md'), 'utf8');
  const [, block = ''] = /^```sh\n(.*?)^```$/ms.exec(page) ?? [];
  return block.match(/^(?:cat > \S+ <<'END'\n[^]*?\nEND|.+)$/gm) ?? [];
}

async function main(): Promise<void> {
  await using host = await startHostProcess();
  const secret = new URL(host.setupUrl ?? '').searchParams.get('secret');
  const { access_token: token } = (await send(`${host.url}/api/v0/setup`, { method: 'POST', body: { secret, username: 'ada', password: PASSWORD } })).json<{ access_token: string }>();
  const browser = new Visitor();
  await browser.submit(`${host.url}/login`, { username: 'ada', password: PASSWORD });
  const folder = await mkdtemp(join(tmpdir(), 'recording-'));
  await writeFile(join(folder, 'space'), `#!/bin/sh\nexec node ${join(CHECKOUT, 'bin', 'space.js')} "$@"\n`);
  await chmod(join(folder, 'space'), 0o755);
  const env = { PATH: `${folder}:${process.env['PATH']}`, HOME: folder, TMPDIR: tmpdir(), SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: token };
  const lines: Line[] = [];
  let nowMs = 0;
  let newAtMs = 0;
  let cwd = folder;
  for (const command of await commandsOfPage()) {
    if (command.startsWith('space new')) newAtMs = nowMs;
    for (const [index, text] of command.split('\n').entries()) {
      lines.push({ atMs: nowMs, text: index === 0 ? `$ ${text}` : `  ${text}`, kind: 'typed' });
      // What is pasted comes at once.
      nowMs += index === 0 ? text.length * TYPED_MS : 120;
    }
    nowMs = await ran(command, { cwd, env, startMs: nowMs, lines });
    const [, into] = /&& cd (\S+)/.exec(command) ?? [];
    if (into !== undefined) cwd = join(folder, into);
    nowMs += 350;
  }
  const url = /http:\/\/\S+/.exec(lines.at(-1)?.text ?? '')?.[0] ?? '';
  const startedAt = performance.now();
  const answer = await browser.visit(url);
  if (answer.status !== 200 || !answer.text.includes('Hello!')) throw new Error(`the app answered ${answer.status}: ${answer.text}`);
  nowMs += performance.now() - startedAt;
  lines.push({ atMs: nowMs, text: `# ${((nowMs - newAtMs) / 1000).toFixed(1)} s after \`space new\` the app says "Hello!" in the browser`, kind: 'end' });
  await writeFile(join(CHECKOUT, 'docs', 'images', 'first-app.svg'), drawn(lines.map((line) => ({ ...line, text: line.text.replaceAll(`:${host.port}`, ':4400') }))));
  await removeFolder(folder);
}

function ran(command: string, { cwd, env, startMs, lines }: { cwd: string; env: Record<string, string>; startMs: number; lines: Line[] }): Promise<number> {
  const startedAt = performance.now();
  const now = (): number => startMs + performance.now() - startedAt;
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.trimEnd().split('\n')) lines.push({ atMs: now(), text: line, kind: 'said' });
      });
    }
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(now()) : reject(new Error(`${command} ended with ${code}: ${lines.map(({ text }) => text).join('\n')}`))));
  });
}

function drawn(lines: readonly Line[]): string {
  const height = TOP + lines.length * ROW + 14;
  const rows = lines.map(({ atMs, text, kind }, index) => {
    const shown = text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`).replace(/^✓/, '<tspan fill="#7ed6a5">✓</tspan>').replace(/^\$/, '<tspan fill="#aab8ff">$</tspan>');
    return `<text class="row" style="animation-delay:${(atMs / 1000).toFixed(2)}s" x="${LEFT}" y="${TOP + index * ROW + FONT}" fill="${COLOURS[kind]}" xml:space="preserve">${shown}</text>`;
  });
  const dots = ['#ff9f97', '#f3c083', '#7ed6a5'].map((fill, index) => `<circle cx="${LEFT + 6 + index * 20}" cy="24" r="6" fill="${fill}"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="A terminal: the first app is made, pushed, and answers">
<style>.row{font:${FONT}px ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;opacity:0;animation:come .01s linear forwards}@keyframes come{to{opacity:1}}@media (prefers-reduced-motion:reduce){.row{opacity:1;animation:none}}</style>
<rect width="${WIDTH}" height="${height}" rx="14" fill="#10152a"/>${dots.join('')}
${rows.join('\n')}
</svg>
`;
}

await main();
