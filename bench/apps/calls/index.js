// The same answer with ten host calls and without any.
const KEYS = Array.from({ length: 10 }, (_, at) => `item-${at}`);

export default {
  async fetch(request, env) {
    const items = env.Base('things');
    if (request.method === 'PUT') {
      await items.putMany(KEYS.map((key, at) => ({ key, value: at })));
    } else if (request.url.endsWith('/ten')) {
      const found = await Promise.all(KEYS.map((key) => items.get(key)));
      if (found.some((item, at) => item?.value !== at)) return new Response('wrong items', { status: 500 });
    }
    return new Response('Hello, world!', { headers: { 'content-type': 'text/plain' } });
  },
};
