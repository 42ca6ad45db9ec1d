/** How fast are jobs run: by our worker app, over HTTP by leases, as deliveries; beside a plain BullMQ Worker? */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Queue } from 'bullmq';
import { SETTINGS } from './harness.mjs';
import { JOB } from './job.mjs';
import {
  BENCH_KEY,
  cpuMicros,
  LOAD_CORE,
  startRedis,
  startRival,
  startSluice,
  startWorker,
} from './processes.mjs';
import { judge, percentile, reportCases, round, table } from './report.mjs';

const JOBS = process.env.BENCH_QUICK ? 2_000 : 30_000;
const DELIVERIES = process.env.BENCH_QUICK ? 300 : 3_000;
const IDLE = process.env.BENCH_QUICK ? 30 : 300;
const PREFIX = 'dreamfactory-queue';
const PLAIN = 'BullMQ Worker';
const APP = 'Sluice, worker app';
const LEASED = 'Sluice, leases over HTTP, 50 a request';

/** Fills the queue while it is paused, and times how long the workers need for what is in it. */
async function drain({ queue, pid, redis }, jobs) {
  await queue.pause();
  for (let left = jobs; left > 0; left -= 1_000)
    await queue.addBulk(
      Array.from({ length: Math.min(left, 1_000) }, () => ({
        ...JOB,
        opts: { removeOnComplete: { count: 1_000 } },
      })),
    );
  const [own, redisOwn] = [cpuMicros(pid), cpuMicros(redis.pid)];
  const begun = performance.now();
  await queue.resume();
  for (;;) {
    const { wait, active } = await queue.getJobCounts('wait', 'active');
    if (wait + active === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const seconds = (performance.now() - begun) / 1_000;
  const ownMicros = (cpuMicros(pid) - own) / jobs;
  const redisMicros = (cpuMicros(redis.pid) - redisOwn) / jobs;
  return {
    count: jobs,
    perSecond: jobs / seconds,
    ownMicros,
    redisMicros,
    cpuMicros: ownMicros + redisMicros,
  };
}

async function side(name, start) {
  const redis = await startRedis();
  const { hostname: host, port } = new URL(redis.url);
  const queue = new Queue('bench', { connection: { host, port: Number(port) }, prefix: PREFIX });
  const { pid } = await start(redis);
  return { name, queue, redis, pid };
}

const sides = [
  await side(PLAIN, (redis) => startRival('plain-worker.mjs', redis, { PREFIX })),
  await side(APP, (redis) =>
    startWorker(redis, {
      WORKER_PROCESSORS: 'bench/processors',
      WORKER_QUEUES: 'bench',
      WORKER_CONCURRENCY: '50',
    }),
  ),
  await side(LEASED, async (redis) => {
    const sluice = await startSluice(redis);
    const env = { SLUICE_URL: sluice.url, SLUICE_KEY: BENCH_KEY };
    await startRival('lease-loop.mjs', redis, env, LOAD_CORE);
    return sluice;
  }),
];
const rows = sides.map(({ name }) => ({ name, runs: [] }));
for (const each of sides) await drain(each, JOBS / 2);
for (let repetition = 0; repetition < SETTINGS.repetitions; repetition += 1) {
  const order = sides.map((_, index) => (index + repetition) % sides.length);
  for (const index of order) rows[index].runs.push(await drain(sides[index], JOBS));
  process.stderr.write(`drain: repetition ${repetition + 1} of ${SETTINGS.repetitions}\n`);
}
const drained = { title: `No-op jobs, ${JOBS} waiting`, rows };

// Deliveries: how many a second, and how soon one arrives when nothing else goes on.
const arrivals = new Map();
const sink = createServer((request, response) => {
  arrivals.set(request.headers['x-n'], performance.now());
  request.resume();
  response.end();
});
sink.listen(0, '127.0.0.1');
await once(sink, 'listening');
const sinkPort = sink.address().port;
const redis = await startRedis();
const folder = { SLUICE_SECRET: 's'.repeat(40) };
const sluice = await startSluice(redis, { env: folder });
await startWorker(redis, { ...folder, EGRESS_ALLOW: '127.0.0.1', EGRESS_PORTS: String(sinkPort) });
const send = async (numbers) => {
  const resource = numbers.map((n) => ({
    url: `http://127.0.0.1:${sinkPort}/`,
    headers: { 'X-N': String(n) },
    body: { n },
  }));
  const answer = await fetch(`${sluice.url}/api/v2/deliveries`, {
    method: 'POST',
    headers: { ...sluice.headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ resource }),
  });
  if (answer.status !== 201) throw new Error(`deliveries answered ${answer.status}: ${await answer.text()}`);
};
const untilArrived = async (count) => {
  while (arrivals.size < count) await new Promise((resolve) => setTimeout(resolve, 2));
};
const idleMs = [];
for (let n = 0; n < IDLE + 20; n += 1) {
  const begun = performance.now();
  await send([n]);
  await untilArrived(n + 1);
  if (n >= 20) idleMs.push(arrivals.get(String(n)) - begun);
}
const rates = [];
for (let repetition = 0; repetition < SETTINGS.repetitions; repetition += 1) {
  arrivals.clear();
  const begun = performance.now();
  for (let from = 0; from < DELIVERIES; from += 100)
    await send(Array.from({ length: 100 }, (_, at) => from + at));
  await untilArrived(DELIVERIES);
  rates.push(DELIVERIES / ((performance.now() - begun) / 1_000));
}
const p99 = percentile(idleMs, 0.99);
const deliveries = table(
  'Deliveries to a sink on this machine',
  ['', 'p50', 'p99', 'max'],
  [
    [
      'from POST to arrival when idle, ms',
      ...[0.5, 0.99, 1].map((share) => round(percentile(idleMs, share))),
    ],
    [
      `delivered a second, ${DELIVERIES} at once`,
      round(percentile(rates, 0.5)),
      '',
      round(Math.max(...rates)),
    ],
  ],
);
reportCases('workers', 'How fast are jobs run, beside a plain BullMQ Worker?', {
  cases: [drained],
  goals: [
    judge(drained, { goal: `${APP} / ${PLAIN}`, side: APP, against: [PLAIN], atLeast: 0.95 }),
    judge(drained, { goal: `${LEASED} / ${PLAIN}`, side: LEASED, against: [PLAIN], atLeast: 0.95 }),
    { goal: 'p99 of a delivery when idle, ms', wanted: '< 20', measured: round(p99), isMet: p99 < 20 },
  ],
  notes: [
    'All sides take 50 jobs at a time. The CPU of leases over HTTP is that of the API; its workers are on the other core.',
  ],
  sections: [deliveries],
});
process.exit(0);
