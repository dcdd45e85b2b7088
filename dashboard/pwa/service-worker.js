// Asks the network first, and answers from what it kept where there is none. Keeps pages and files of the app, and reads of its
// Bases; never writes, streams, parts or large files. When the session is over it forgets everything.
const CACHE = 'space-##RELEASE_ID##';
const BASE = '/__space/v0/base/';
const KEPT_BYTES = 5_000_000;
const KEPT_ENTRIES = 300;

const isOurs = (name) => name.startsWith('space-');

async function forget(others) {
  const names = (await caches.keys()).filter((name) => isOurs(name) && (!others || name !== CACHE));
  await Promise.all(names.map((name) => caches.delete(name)));
}

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(forget(true).then(() => self.clients.claim())));

self.addEventListener('fetch', (event) => {
  if (isReadable(event.request)) event.respondWith(answer(event));
});

self.addEventListener('message', (event) => {
  const { action, urls } = event.data ?? {};
  if (action === 'keep' && Array.isArray(urls)) event.waitUntil(keepAll(urls.filter((url) => isReadable(new Request(url)))));
});

function isReadable({ method, url, headers, mode, destination }) {
  const { origin, pathname } = new URL(url);
  if (origin !== self.location.origin || headers.has('range') || mode === 'websocket' || (headers.get('accept') ?? '').includes('event-stream')) return false;
  // What the worker asks for comes from the app itself, as far as the host can see: another app that frames this one must not gain by it.
  if (mode === 'navigate' && destination !== 'document') return false;
  if (pathname.startsWith(BASE)) return method === 'GET' || (method === 'POST' && pathname.endsWith('/query'));
  return method === 'GET' && !pathname.startsWith('/__space/');
}

async function answer(event) {
  const { request, clientId } = event;
  const key = await keyOf(request);
  try {
    const response = await fetch(request);
    if (response.status === 401 && (response.headers.get('server') ?? '').startsWith('Deta')) await signedOut(clientId);
    else if (isKept(response)) event.waitUntil(keep(key, response.clone()).catch(() => {}));
    return response;
  } catch (error) {
    const cache = await caches.open(CACHE);
    const kept = (await cache.match(key, { ignoreVary: true })) ?? (request.mode === 'navigate' ? await cache.match('/', { ignoreVary: true }) : undefined);
    if (kept) return kept;
    throw error;
  }
}

/** A query is told from another by its body. */
async function keyOf(request) {
  if (request.method === 'GET') return request.url;
  const text = `${request.url}_${await request.clone().text()}`;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return `${request.url}?body=${[...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function isKept({ status, type, redirected, headers }) {
  const length = Number(headers.get('content-length') ?? 0);
  return status === 200 && type === 'basic' && !redirected && length <= KEPT_BYTES
    && !/no-store/i.test(headers.get('cache-control') ?? '') && !/event-stream|^(?:video|audio)\//i.test(headers.get('content-type') ?? '');
}

async function keep(key, response) {
  const cache = await caches.open(CACHE);
  await cache.put(key, response);
  const keys = await cache.keys();
  await Promise.all(keys.slice(0, Math.max(keys.length - KEPT_ENTRIES, 0)).map((old) => cache.delete(old)));
}

async function keepAll(urls) {
  for (const url of urls.slice(0, KEPT_ENTRIES)) {
    const response = await fetch(url).catch(() => undefined);
    if (response && isKept(response)) await keep(new Request(url).url, response);
  }
}

async function signedOut(clientId) {
  await forget(false);
  const client = clientId === '' ? undefined : await self.clients.get(clientId);
  client?.postMessage({ action: 'auth_required' });
}
