/** What does a call cost through our whole door, beside a bare Hono handler that does nothing? */
import { compare, overHttp } from './harness.mjs';
import { JOB } from './job.mjs';
import { SLUICE_SETTINGS, startRedis, startRival, startSluice } from './processes.mjs';
import { reportCases } from './report.mjs';

const KEYS = 10_000;
const VALUE = 'x'.repeat(200);

const redis = await startRedis();
const bare = await startRival('bare.mjs');
const sluice = await startSluice(redis);

const items = (count, from = 0) => ({
  resource: Array.from({ length: count }, (_, at) => ({ key: `key:${from + at}`, value: VALUE, ttl: 3_600 })),
});
for (let from = 0; from < KEYS; from += 1_000) {
  const answer = await fetch(`${sluice.url}/api/v2/redis`, {
    method: 'POST',
    headers: { ...sluice.headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(items(1_000, from)),
  });
  if (answer.status !== 201) throw new Error(`filling the cache answered ${answer.status}`);
}

const sides = (request, more = {}) => [
  overHttp({ name: 'bare Hono handler', server: bare, request, ...more }),
  overHttp({ name: 'Sluice', server: sluice, redis, request, ...more }),
];
const post = (path, body) => ({ method: 'POST', path, body: JSON.stringify(body) });
const paths = Array.from({ length: 500 }, (_, at) => `/api/v2/redis/key:${at * 20}`);
const hundred = Array.from({ length: 100 }, (_, at) => `key:${at * 100}`).join(',');
const batch = { connections: 16, operations: 100 };

const cases = [
  await compare('The door itself: GET /livez', sides({ path: '/livez' })),
  await compare('Cache GET, 200 bytes, 10,000 keys', sides({ path: paths[0], paths })),
  await compare('Cache SET, 200 bytes', sides(post('/api/v2/redis', items(1)))),
  await compare('Cache read of 100 keys (per key)', sides({ path: `/api/v2/redis?keys=${hundred}` }, batch)),
  await compare('Cache write of 100 keys (per key)', sides(post('/api/v2/redis', items(100)), batch)),
  await compare('One job a POST', sides(post('/api/v2/queues/bench/jobs', JOB))),
];
reportCases('http', 'What does a call cost through the whole door, beside a bare Hono handler?', {
  cases,
  notes: [SLUICE_SETTINGS],
});
process.exit(0);
