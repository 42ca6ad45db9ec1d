/** What does a call cost through our whole door, beside a bare Hono handler that does nothing? */
import { BENCH_KEY, compare, report, startRedis, startRival, startSluice } from './harness.mjs';

const KEYS = 10_000;
const VALUE = 'x'.repeat(200);

const redis = await startRedis();
const bare = await startRival('bare.mjs');
const sluice = await startSluice(redis);

const store = async (resource) => {
  const answer = await fetch(`${sluice.url}/api/v2/redis`, {
    method: 'POST',
    headers: { 'X-DreamFactory-API-Key': BENCH_KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify({ resource }),
  });
  if (answer.status !== 201) throw new Error(`filling the cache answered ${answer.status}`);
};
for (let from = 0; from < KEYS; from += 1_000) {
  await store(
    Array.from({ length: 1_000 }, (_, at) => ({ key: `key:${from + at}`, value: VALUE, ttl: 3_600 })),
  );
}

const sides = (request, more = {}) => [
  { name: 'bare Hono handler', server: bare, request, ...more },
  { name: 'Sluice', server: sluice, redis, request, ...more },
];
const items = (count) =>
  JSON.stringify({
    resource: Array.from({ length: count }, (_, at) => ({ key: `key:${at}`, value: VALUE, ttl: 3_600 })),
  });
const paths = Array.from({ length: 500 }, (_, at) => `/api/v2/redis/key:${at * 20}`);
const hundred = Array.from({ length: 100 }, (_, at) => `key:${at * 100}`).join(',');

const results = [
  await compare('The door itself: GET /livez', sides({ path: '/livez' })),
  await compare('Cache GET, 200 bytes, 10,000 keys', sides({ path: paths[0], paths })),
  await compare('Cache SET, 200 bytes', sides({ method: 'POST', path: '/api/v2/redis', body: items(1) })),
  await compare(
    'Cache read of 100 keys (per key)',
    sides({ path: `/api/v2/redis?keys=${hundred}` }, { connections: 16, operations: 100 }),
  ),
  await compare(
    'Cache write of 100 keys (per key)',
    sides({ method: 'POST', path: '/api/v2/redis', body: items(100) }, { connections: 16, operations: 100 }),
  ),
  await compare(
    'One job a POST',
    sides({
      method: 'POST',
      path: '/api/v2/queues/bench/jobs',
      body: JSON.stringify({ name: 'bench', data: { to: 'ada', text: VALUE } }),
    }),
  ),
];
report('http', 'What does a call cost through the whole door, beside a bare Hono handler?', results);
process.exit(0);
