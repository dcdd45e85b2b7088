// The first Micro: calls the second one in each way there is, and shows what came back.
import { page } from './page.js';

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/name') return json({ name: env.DETA_SPACE_APP_MICRO_NAME });
    if (pathname !== '/' && pathname !== '/calls') return json({ error: 'Nothing is here.' }, 404);
    const calls = await Promise.all(WAYS.map((way) => tryCall(way, env)));
    return pathname === '/calls' ? json({ calls }) : html(page(calls));
  },
};

const WAYS = [
  {
    title: 'By name',
    about: 'The host hands the request straight to the other Micro. The address only carries a path.',
    code: "env.micros.api.fetch('https://api/greeting')",
    run: (env) => env.micros.api.fetch('https://api/greeting?from=front'),
  },
  {
    title: 'By address',
    about: 'A plain request to the app\'s own address, with the key that every Micro of this app is given.',
    code: "fetch('https://' + env.DETA_SPACE_APP_HOSTNAME + '/api/greeting', {\n  headers: { 'X-API-Key': env.DETA_API_KEY },\n})",
    run: (env) => fetch(`https://${env.DETA_SPACE_APP_HOSTNAME}/api/greeting?from=front`, { headers: { 'X-API-Key': env.DETA_API_KEY } }),
  },
  {
    title: 'There and back',
    about: 'The other Micro calls this one before it answers.',
    code: "env.micros.api.fetch('https://api/return')",
    run: (env) => env.micros.api.fetch('https://api/return'),
  },
];

/** One call's outcome; a failed one must not hide the others. */
async function tryCall({ title, about, code, run }, env) {
  const startedAt = Date.now();
  try {
    const response = await run(env);
    const text = await response.text();
    const answer = response.ok ? JSON.parse(text) : { text: `${response.status} ${text}` };
    return { title, about, code, ok: response.ok, durationMs: Date.now() - startedAt, ...answer };
  } catch (error) {
    return { title, about, code, ok: false, durationMs: Date.now() - startedAt, text: String(error) };
  }
}

function json(value, status = 200) {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
}

function html(text) {
  return new Response(text, {
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'" },
  });
}
