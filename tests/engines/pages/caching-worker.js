// A service worker as apps have it for speed: what it has is the answer at once, and is renewed
// meanwhile. A cache does not look at `no-store`.

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.includes("cached")) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open("answers");
      const found = await cache.match(request, { ignoreVary: true });
      if (found) return found;
      const response = await fetch(request);
      await cache.put(request, response.clone());
      return response;
    })(),
  );
});
