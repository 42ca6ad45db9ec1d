/** How fast do jobs get in over HTTP, beside BullMQ in process and other servers? */
import { compare, inProcess, overHttp } from './harness.mjs';
import { JOB } from './job.mjs';
import {
  EVERY_SECOND,
  SLUICE_SETTINGS,
  startBunqueue,
  startProgram,
  startRedis,
  startRival,
  startSluice,
} from './processes.mjs';
import { judge, reportCases } from './report.mjs';

const SLUICE = 'Sluice';
const NAIVE = 'naive: Hono, zod, queue.add';
const NO_REDIS = 'Sluice, its jobs answer without Redis';
const BUNQUEUE = 'bunqueue, in memory';
const BUNQUEUE_FILE = 'bunqueue, SQLite';
const ADD = 'BullMQ in process: add, 50 in flight';
const BULK = 'BullMQ in process: addBulk(100), one by one';
const BULK_4 = 'BullMQ in process: addBulk(100), 4 in flight';

const NOTES = [
  SLUICE_SETTINGS,
  'bunqueue 2.9.5 runs on Bun 1.4.5; its limit of requests looks back 1 ms. In process, one Node program is both the load and the side.',
  'Left out: @pg-boss/proxy, which npm did not have (404) when this was written.',
];

const single = JSON.stringify(JOB);
const hundred = Array.from({ length: 100 }, () => JOB);
const ours = (body) => ({ method: 'POST', path: '/api/v2/queues/bench/jobs', body });
const oursByHundred = ours(JSON.stringify({ resource: hundred }));
const bunqueues = { method: 'POST', path: '/queues/bench/jobs', body: single };
const bunqueuesByHundred = {
  method: 'POST',
  path: '/queues/bench/jobs/bulk',
  body: JSON.stringify({ jobs: hundred }),
};

/** Sluice and the naive server, each with a Redis of its own. */
async function startPair(options) {
  const [sluiceRedis, naiveRedis] = [await startRedis(options), await startRedis(options)];
  const [sluice, naive] = [await startSluice(sluiceRedis), await startRival('naive.mjs', naiveRedis)];
  return {
    naiveRedis,
    sides: (request, more = {}) => [
      overHttp({
        ...{ name: NAIVE, server: naive, request },
        ...{ redis: naiveRedis, store: naiveRedis.store, ...more },
      }),
      overHttp({
        ...{ name: SLUICE, server: sluice, request },
        ...{ redis: sluiceRedis, store: sluiceRedis.store, ...more },
      }),
    ],
  };
}

const pair = await startPair();
const idleRedis = await startRedis();
const withoutRedis = await startSluice(idleRedis, { main: 'bench/servers/without-redis.mjs' });
const bunqueue = await startBunqueue({ isPersistent: false });
const bunqueueFile = await startBunqueue({ isPersistent: true });
const bunqueueSides = (request, more = {}) => [
  overHttp({ name: BUNQUEUE, server: bunqueue, request, store: bunqueue.store, ...more }),
  overHttp({ name: BUNQUEUE_FILE, server: bunqueueFile, request, store: bunqueueFile.store, ...more }),
];
const inBullmq = async (name, file, ...args) => {
  const redis = pair.naiveRedis;
  return inProcess({ name, program: await startProgram(file, args, redis), redis, store: redis.store });
};

const batch = { connections: 16, operations: 100 };
const byHundred = await compare('100 jobs a POST, 16 connections (per job)', [
  await inBullmq(BULK, 'add-bulk.mjs'),
  await inBullmq(BULK_4, 'add-bulk.mjs', '4'),
  await inBullmq(ADD, 'add.mjs'),
  ...pair.sides(oursByHundred, batch),
  ...bunqueueSides(bunqueuesByHundred, batch),
]);
const oneByOne = await compare('One job a POST, 64 connections', [
  ...pair.sides(ours(single)),
  overHttp({ name: NO_REDIS, server: withoutRedis, redis: idleRedis, request: ours(single) }),
  ...bunqueueSides(bunqueues),
]);
const durable = await startPair(EVERY_SECOND);
const everySecond = await compare('One job a POST, 64 connections, appendfsync everysec', [
  ...durable.sides(ours(single)),
  bunqueueSides(bunqueues)[1],
]);

const IN_PROCESS = [BULK, BULK_4, ADD];
const goal = (result, text, against, limit) =>
  judge(result, { goal: text, side: SLUICE, against: [against].flat(), ...limit });
const redisCpu = { metric: 'redisMicros', atMost: 0.5 };
const goals = [
  goal(byHundred, '100-job POST / addBulk(100), one by one', BULK, { atLeast: 4 }),
  goal(byHundred, '100-job POST / the best of BullMQ in process', IN_PROCESS, { atLeast: 2 }),
  goal(oneByOne, '1-job POST / naive', NAIVE, { atLeast: 1.7 }),
  goal(oneByOne, '1-job POST / the same without Redis', NO_REDIS, { atLeast: 0.9 }),
  goal(oneByOne, '1-job POST / bunqueue in memory', BUNQUEUE, { atLeast: 2 }),
  goal(oneByOne, '1-job POST / bunqueue with SQLite', BUNQUEUE_FILE, { atLeast: 2 }),
  goal(everySecond, '1-job POST, everysec / naive, everysec', NAIVE, { atLeast: 1.3 }),
  goal(everySecond, '1-job POST, everysec / bunqueue with SQLite', BUNQUEUE_FILE, { atLeast: 2 }),
  goal(oneByOne, 'Redis CPU a job: 1-job POST / naive', NAIVE, redisCpu),
  goal(byHundred, 'Redis CPU a job: 100-job POST / the best of BullMQ in process', IN_PROCESS, redisCpu),
];
reportCases('jobs', 'How fast do jobs get in over HTTP, beside BullMQ in process and other servers?', {
  cases: [byHundred, oneByOne, everySecond],
  goals,
  notes: NOTES,
});
process.exit(0);
