// The least that an isolate Micro can do; workerd runs this very file beside us.
export default {
  async fetch() {
    return new Response('Hello, world!', { headers: { 'content-type': 'text/plain' } });
  },
};
