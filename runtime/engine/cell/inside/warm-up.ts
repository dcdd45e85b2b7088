// Owns what runs once while the snapshot is made, so that it holds the web API compiled: the first request of a Micro then
// finds its way without the compiler. V8 throws away the context in which this ran; only compiled code stays.
// What it names is the guest's own: main.ts of the guest, and the heads of cell/head.ts.

/** Globals that V8 adds only when it makes a context from a snapshot; `harden` takes things away from them. */
const STAND_INS = `
globalThis.SharedArrayBuffer ??= class SharedArrayBuffer {};
globalThis.WebAssembly ??= { Module: class {}, Instance: class {}, Memory: class {} };
`;

const REQUESTS = `
const inside = __boot(() => undefined, 1e7, 1e7, new ArrayBuffer(557056));
const fetch = (request, env, context) => {
  const headers = new Headers(request.headers);
  headers.set('x-method', request.method);
  context.waitUntil(request.text());
  return request.headers.has('plain') ? new Response('text', { status: 201, headers }) : Response.json({ url: request.url }, { headers });
};
inside.adopt({ isDone: true, micro: { default: { fetch } } }, '{"NAME":"value"}', '["other"]');
inside.turn(
  1, 1, 'GET\\nhttp://localhost/path?query=1\\nhost\\nlocalhost\\naccept\\n*/*', undefined,
  1, 2, 'POST\\nhttp://localhost/\\nhost\\nlocalhost\\nplain\\nyes', '{"a":1}',
);
inside.collect();
inside.takeBuffers();
`;

export const WARM_UP = `${STAND_INS}{${REQUESTS}}`;
