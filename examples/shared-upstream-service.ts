/**
 * One of the services of `shared-upstream.ts`: an HTTP server that tells the weather of a city, from the cache it shares with
 * every other service of this prefix.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Cache, RedisDriver } from '@sluice/cache';
import { Env, keyspace, readRoles } from '@sluice/config';
import { Limiter } from '@sluice/rate-limit';
import { connect, untilReady } from '@sluice/redis';

const [name = 'service', upstreamUrl = '', callsASecond = '1'] = process.argv.slice(2);

// Where Redis is, by the same variables as the product's.
const { prefix, redis } = readRoles(new Env(process.env));
const keys = keyspace(prefix, { isCluster: redis.cache.kind === 'cluster' });
const client = connect({ config: redis.cache, profile: 'request', name });
await untilReady(client, 5_000);

const cache = new Cache({
  name: 'weather',
  driver: new RedisDriver({ client, keyspace: keys, service: 'weather' }),
});
const limiter = new Limiter({
  redis: client,
  keys,
  policies: [{ name: 'upstream', algorithm: 'sliding', limit: Number(callsASecond), period: '1s' }],
});

/** Asked before each call of the upstream, by whichever process is to make it. */
const admit = async () => {
  const { isAllowed, retryAfterMs } = await limiter.take({ policy: 'upstream', key: 'weather' });
  return isAllowed ? { isAllowed } : { isAllowed, retryAfterMs: retryAfterMs ?? 1_000 };
};

const server = createServer((request, response) => {
  const city = decodeURIComponent(request.url?.slice(1) ?? '');
  weatherOf(city).then(
    (text) => response.setHeader('Content-Type', 'application/json').end(text),
    (error: unknown) => response.writeHead(503).end(String(error)),
  );
});

async function weatherOf(city: string): Promise<string | undefined> {
  const load = ({ signal }: { signal: AbortSignal }) => measure(city, signal);
  const entry = await cache.getOrLoad(city, load, { ttl: 60, admit, waitMs: 30_000 });
  return entry?.text;
}

async function measure(city: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(`${upstreamUrl}/${encodeURIComponent(city)}`, { signal });
  if (!response.ok) throw new Error(`the upstream answered ${response.status}`);
  return await response.json();
}

server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
// Who started it is gone: there is nobody to serve.
process.once('disconnect', () => process.exit());
