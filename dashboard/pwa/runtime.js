// Makes the page of an app installable, and its last answers readable without a network. The host puts this into pages of
// people who are signed in, unless the app says `auto_pwa: false`. What the app has of its own stays.
(() => {
  const WORKER = '/__space/v0/assets/service-worker.js';
  const QUIET_MS = 5000;
  const RELOAD_AGAIN_MS = 60_000;
  const workers = navigator.serviceWorker;

  function link(rel, href, more) {
    if (document.querySelector(`link[rel~="${rel}"]`)) return;
    document.head.append(Object.assign(document.createElement('link'), { rel, href, ...more }));
  }

  async function register() {
    const others = (await workers.getRegistrations()).map(({ active, waiting, installing }) => (active ?? waiting ?? installing)?.scriptURL);
    if (others.some((url) => url !== undefined && new URL(url).pathname !== WORKER)) return;
    const wasAlone = workers.controller === null;
    await workers.register(WORKER, { scope: '/' });
    if (!wasAlone) return;
    // What came before the worker did is what the page needs to start.
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => new URL(name).origin === location.origin);
    (await workers.ready).active?.postMessage({ action: 'keep', urls: ['/', ...loaded] });
  }

  /** The session is over: the host leads to the sign-in, and back. */
  function signIn() {
    const last = Number(sessionStorage.getItem('space-sign-in') ?? 0);
    if (Date.now() - last < RELOAD_AGAIN_MS) return;
    sessionStorage.setItem('space-sign-in', String(Date.now()));
    location.reload();
  }

  function start() {
    // The app is its owner's alone: without the session, browsers would be refused its manifest.
    for (const own of document.querySelectorAll('link[rel~="manifest"]:not([crossorigin])')) own.crossOrigin = 'use-credentials';
    link('manifest', '/__space/v0/assets/manifest.json', { crossOrigin: 'use-credentials' });
    link('apple-touch-icon', '/__space/v0/assets/icon-pwa');
    if (!workers) return;
    workers.addEventListener('message', ({ data }) => { if (data?.action === 'auth_required') signIn(); });
    setTimeout(() => register().catch(() => {}), QUIET_MS);
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
