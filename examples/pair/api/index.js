// The second Micro: answers greetings, and asks the first one back when it is told to.

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const from = url.searchParams.get('from') ?? 'nobody';
    if (url.pathname === '/greeting') return json({ text: `Hello, ${from}!`, micro: env.DETA_SPACE_APP_MICRO_NAME, path: url.pathname });
    if (url.pathname === '/return') return json(await askBack(env));
    return json({ error: 'Nothing is here.' }, 404);
  },
};

async function askBack(env) {
  const answer = await env.micros.front.fetch('https://front/name');
  const { name } = await answer.json();
  return { text: `I called ${name} back, and ${name} answered.`, micro: env.DETA_SPACE_APP_MICRO_NAME, path: '/return' };
}

function json(value, status = 200) {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
}
