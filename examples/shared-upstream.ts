/**
 * Two services share a cache and a throttle in front of a slow upstream.
 *
 * Each service is a process of its own (`shared-upstream-service.ts`) and knows nothing of the other. Of all who ask for the
 * same thing, in both of them, one goes to the upstream and the others get what he brought; and both together never ask it
 * more often than it bears. This program is the slow upstream, starts the services, and asks them all at once.
 *
 *   REDIS_URL=redis://localhost:6379 npm run shared-upstream
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const CITIES = ['Basel', 'Bern', 'Genf', 'Lausanne', 'Lugano', 'Luzern', 'Sankt Gallen', 'Zürich'];
const REQUESTS_A_CITY = 50;
/** The upstream's own slowness. */
const ANSWER_MS = 200;
/** What it bears; the services hold to it together. */
const CALLS_A_SECOND = 4;

const upstream = await startUpstream();
const services = await Promise.all([
  startService('shop', upstream.url),
  startService('travel', upstream.url),
]);
try {
  const startedAt = performance.now();
  const first = await askAll();
  console.log(`${first.length} requests for ${CITIES.length} cities, to two services at the same time`);
  console.log(`all answered alike: ${new Set(first).size === CITIES.length}`);
  console.log(`calls of the upstream: ${upstream.calls.length}`);
  console.log(
    `of which came together: ${waves(upstream.calls).join(', then ')} (${CALLS_A_SECOND} a second may)`,
  );
  console.log(`done in ${Math.round(performance.now() - startedAt)} ms`);

  const again = await askAll();
  console.log(`${again.length} requests more: still ${upstream.calls.length} calls of the upstream`);
} finally {
  for (const { child } of services) child.kill();
  upstream.close();
}

/** Every city of both services, many times, all together. */
async function askAll(): Promise<string[]> {
  const asks = CITIES.flatMap((city) =>
    Array.from({ length: REQUESTS_A_CITY }, async (_, i) => {
      const service = services[i % services.length] as Service;
      const response = await fetch(`${service.url}/${encodeURIComponent(city)}`);
      if (!response.ok)
        throw new Error(`${service.url} answered ${response.status}: ${await response.text()}`);
      return await response.text();
    }),
  );
  return await Promise.all(asks);
}

/** How many calls came before each pause of half a second. */
function waves(calls: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const [i, at] of calls.entries()) {
    if (i === 0 || at - (calls[i - 1] as number) > 500) sizes.push(0);
    sizes[sizes.length - 1] = (sizes.at(-1) as number) + 1;
  }
  return sizes;
}

interface Service {
  child: ChildProcess;
  url: string;
}

async function startService(name: string, upstreamUrl: string): Promise<Service> {
  const child = fork(new URL('./shared-upstream-service.ts', import.meta.url), [
    name,
    upstreamUrl,
    String(CALLS_A_SECOND),
  ]);
  const [url] = await Promise.race([
    once(child, 'message') as Promise<[string]>,
    once(child, 'exit').then(() => Promise.reject(new Error(`service ${name} did not start`))),
  ]);
  return { child, url };
}

async function startUpstream() {
  const calls: number[] = [];
  const server = createServer((request, response) => {
    const measurement = calls.push(performance.now());
    const city = decodeURIComponent(request.url?.slice(1) ?? '');
    const text = JSON.stringify({ city, degrees: city.length, measurement });
    setTimeout(() => response.setHeader('Content-Type', 'application/json').end(text), ANSWER_MS);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { calls, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
