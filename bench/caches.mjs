/** How fast is the cache over HTTP, beside webdis (C) and one pipeline of SETs behind bare Hono? */
import { compare, overHttp } from './harness.mjs';
import { SLUICE_SETTINGS, startRedis, startRival, startSluice, startWebdis } from './processes.mjs';
import { judge, reportCases } from './report.mjs';

const KEYS = 10_000;
const VALUE = 'x'.repeat(200);
const SLUICE = 'Sluice';
const WEBDIS = 'webdis';
const PIPELINE = 'bare Hono, one pipeline of SETs';

const [ownRedis, webdisRedis, pipelineRedis] = [await startRedis(), await startRedis(), await startRedis()];
const sluice = await startSluice(ownRedis);
const webdis = await startWebdis(webdisRedis);
const pipeline = await startRival('pipeline.mjs', pipelineRedis);

const items = (count, from = 0) => ({
  resource: Array.from({ length: count }, (_, at) => ({ key: `key:${from + at}`, value: VALUE, ttl: 3_600 })),
});
for (let from = 0; from < KEYS; from += 1_000) {
  const body = items(1_000, from);
  const answer = await fetch(`${sluice.url}/api/v2/redis`, {
    method: 'POST',
    headers: { ...sluice.headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`filling Sluice answered ${answer.status}`);
  for (const { key } of body.resource) await fetch(`${webdis.url}/SET/${key}/${VALUE}`);
}

const ours = (request, more = {}) =>
  overHttp({ name: SLUICE, server: sluice, redis: ownRedis, request, ...more });
const theirs = (request, more = {}) =>
  overHttp({ name: WEBDIS, server: webdis, redis: webdisRedis, request, ...more });
const some = Array.from({ length: 500 }, (_, at) => `key:${at * 20}`);
const hundred = Array.from({ length: 100 }, (_, at) => `key:${at * 100}`);
const batch = { connections: 16, operations: 100 };
const one = { method: 'POST', path: '/api/v2/redis', body: JSON.stringify(items(1)) };
const many = { ...one, body: JSON.stringify(items(100)) };

const get = await compare('GET, 200 bytes, 10,000 keys, 64 connections', [
  theirs({ path: '/GET/key:0', paths: some.map((key) => `/GET/${key}`) }),
  ours({ path: '/api/v2/redis/key:0', paths: some.map((key) => `/api/v2/redis/${key}`) }),
]);
const readMany = await compare('Read of 100 keys, 16 connections (per key)', [
  theirs({ path: `/MGET/${hundred.join('/')}` }, batch),
  ours({ path: `/api/v2/redis?keys=${hundred.join(',')}` }, batch),
]);
const set = await compare('SET, 200 bytes, 64 connections', [
  theirs({ method: 'PUT', path: '/SETEX/key:0/3600', body: VALUE }),
  ours(one),
]);
const writeMany = await compare('Write of 100 keys, 16 connections (per key)', [
  overHttp({ name: PIPELINE, server: pipeline, redis: pipelineRedis, request: many, ...batch }),
  ours(many, batch),
]);
const goal = (what, result, rival, atLeast) =>
  judge(result, { goal: `${what}: Sluice / ${rival}`, side: SLUICE, against: [rival], atLeast });
reportCases('caches', 'How fast is the cache over HTTP, beside webdis and a pipeline of SETs?', {
  cases: [get, readMany, set, writeMany],
  goals: [
    goal('GET', get, WEBDIS, 0.9),
    goal('100-key reads', readMany, WEBDIS, 1.3),
    goal('SET', set, WEBDIS, 0.65),
    goal('100-key writes', writeMany, PIPELINE, 2),
  ],
  notes: [SLUICE_SETTINGS, 'webdis runs on one thread, knows no keys and no limits, and writes no log.'],
});
process.exit(0);
