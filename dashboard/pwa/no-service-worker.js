// Takes the place of the worker in an app that no longer wants one: forgets what that kept, and goes.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(leave()));

async function leave() {
  await self.clients.claim();
  await self.registration.unregister();
  // Only now does the other one keep nothing more.
  const names = (await caches.keys()).filter((name) => name.startsWith('space-'));
  await Promise.all(names.map((name) => caches.delete(name)));
}
