/** When do small groups start behind a large one, on a stock BullMQ worker, and what does a turn cost when a job goes in? */
import { Worker } from 'bullmq';
import { compare, overHttp, SETTINGS } from './harness.mjs';
import { JOB } from './job.mjs';
import { startRedis, startSluice } from './processes.mjs';
import { judge, median, reportCases, round } from './report.mjs';

const [LARGE, SMALL_GROUPS, SMALL] = process.env.BENCH_QUICK ? [5_000, 50, 10] : [100_000, 50, 10];
const BATCH = 1_000;
/** Jobs that wait when an enqueue is measured. */
const WAITING = 100_000;

const redis = await startRedis();
const sluice = await startSluice(redis);

async function enqueue(opts, count) {
  for (let left = count; left > 0; left -= BATCH) {
    const resource = Array.from({ length: Math.min(left, BATCH) }, () => ({ ...JOB, opts }));
    const answer = await fetch(`${sluice.url}/api/v2/queues/fair/jobs`, {
      method: 'POST',
      headers: { ...sluice.headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ resource }),
    });
    if (!answer.ok) throw new Error(`enqueue answered ${answer.status}: ${await answer.text()}`);
  }
}

/** The place among all starts of the last job of each small group, lowest first. */
async function lastStarts({ isGrouped }) {
  await redis.store.empty();
  const ofGroup = (name) => ({ attempts: name + 1, ...(isGrouped && { group: `tenant-${name}` }) });
  await enqueue(ofGroup(0), LARGE);
  for (let name = 1; name <= SMALL_GROUPS; name += 1) await enqueue(ofGroup(name), SMALL);
  let started = 0;
  const lasts = new Map();
  const lefts = new Map(Array.from({ length: SMALL_GROUPS }, (_, index) => [index + 1, SMALL]));
  const { hostname: host, port } = new URL(redis.url);
  await new Promise((resolve) => {
    const worker = new Worker(
      'fair',
      async (job) => {
        started += 1;
        const name = job.opts.attempts - 1;
        if (name > 0 && lefts.get(name) === 1) lasts.set(name, started);
        if (name > 0) lefts.set(name, lefts.get(name) - 1);
        if (lasts.size === SMALL_GROUPS) resolve(worker.close(true));
      },
      { connection: { host, port: Number(port) }, prefix: 'dreamfactory-queue', concurrency: 20 },
    );
  });
  return [...lasts.values()].sort((a, b) => a - b);
}

const fifo = await lastStarts({ isGrouped: false });
const fair = await lastStarts({ isGrouped: true });
const ideal = (SMALL_GROUPS + 1) * SMALL;

/** Enqueues batches of 100 behind `WAITING` jobs alike. */
function side(name, optsOf) {
  const resource = Array.from({ length: 100 }, (_, index) => ({ ...JOB, opts: optsOf(index) }));
  const body = JSON.stringify({ resource });
  const request = { method: 'POST', path: '/api/v2/queues/fair/jobs', body };
  const store = {
    empty: async () => {
      await redis.store.empty();
      await enqueue(optsOf(0), process.env.BENCH_QUICK ? 1_000 : WAITING);
    },
    count: redis.store.count,
  };
  return overHttp({ name, server: sluice, redis, request, store, connections: 4, operations: 100 });
}

const NONE = 'no group';
const PRIORITY = 'a priority';
const ONE = 'one group';
const cost = await compare('100 jobs a POST, 4 connections (per job)', [
  side(NONE, () => ({ attempts: 3 })),
  side(PRIORITY, () => ({ attempts: 3, priority: 5 })),
  side(ONE, () => ({ attempts: 3, group: 'tenant' })),
  side('10 groups', (index) => ({ attempts: 3, group: `tenant-${index % 10}` })),
  side('100 groups', (index) => ({ attempts: 3, group: `tenant-${index}` })),
]);
reportCases('fairness', 'When do small groups start behind a large one, and what does a turn cost?', {
  cases: [cost],
  goals: [
    {
      goal: `the last job of every small group starts by its fair share (${ideal})`,
      wanted: `≤ ${ideal + 20}`,
      measured: fair.at(-1),
      isMet: fair.at(-1) <= ideal + 20,
    },
    judge(cost, {
      goal: 'Redis CPU a job: one group / a priority',
      side: ONE,
      against: [PRIORITY],
      metric: 'redisMicros',
      atMost: 1.2,
    }),
  ],
  notes: [
    `A stock BullMQ worker takes ${LARGE.toLocaleString('en')} jobs of one group, enqueued first, and ${SMALL} of each of ${SMALL_GROUPS} others. Place among all starts of the last job of a small group: with groups ${fair[0]} to ${fair.at(-1)}, median ${round(median(fair))}; without ${fifo[0]} to ${fifo.at(-1)}.`,
    `Costs: enqueued behind ${WAITING.toLocaleString('en')} jobs of the same kind, ${SETTINGS.seconds} s each.`,
  ],
});
process.exit(0);
