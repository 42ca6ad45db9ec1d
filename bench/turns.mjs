/** What does a group cost Redis when jobs go in, beside a priority and neither? The insert script alone, by Redis' own count. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { JOB } from './job.mjs';
import { startRedis } from './processes.mjs';
import { keep, median, round, table } from './report.mjs';

const [REPETITIONS, WAITING] = process.env.BENCH_QUICK ? [1, 500] : [5, 10_000];
const CALLS = { 1: 1_500, 100: 150 };
const BATCH = 500;
/** As the script declares them; `base` is the first. */
const KEYS = [
  '',
  'wait',
  'meta',
  'id',
  'delayed',
  'active',
  'prioritized',
  'pc',
  'events',
  'marker',
  'turns',
  'last',
];
const OPTIONS = {
  attempts: 1,
  removeOnComplete: { age: 86_400, count: 1_000 },
  removeOnFail: { age: 1_209_600, count: 10_000 },
  kl: 100,
  stackTraceLimit: 3,
};
const grouped = (groups) => (index) => ({ priority: 1_000, sluice: { group: `tenant-${index % groups}` } });
const CASES = {
  'neither group nor priority': () => ({}),
  'a priority': () => ({ priority: 5 }),
  'one group': grouped(1),
  '50 groups': grouped(50),
  'a group each': grouped(Number.POSITIVE_INFINITY),
};

const source = ['turns', 'insert-jobs'].map((file) =>
  readFileSync(new URL(`../packages/jobs/src/lua/${file}.lua`, import.meta.url), 'utf8'),
);
const server = await startRedis();
const redis = new Redis(server.url);
const sha = await redis.script('LOAD', source.join('\n'));
const data = JSON.stringify(JOB.data);
let jobs = 0;

async function insert(optsOf, count) {
  const [kinds, keys, args] = [[], [], []];
  for (let index = 0; index < count; index += 1) {
    const kind = JSON.stringify({
      name: JOB.name,
      timestamp: Date.now(),
      opts: { ...OPTIONS, ...optsOf(jobs) },
    });
    if (!kinds.includes(kind)) kinds.push(kind);
    keys.push(`{bench}:j_${jobs}`);
    args.push(kinds.indexOf(kind) + 1, data);
    jobs += 1;
  }
  const named = KEYS.map((key) => `{bench}:${key}`);
  await redis.evalsha(
    sha,
    named.length + keys.length,
    ...named,
    ...keys,
    `[${kinds.join()}]`,
    count,
    ...args,
  );
}

/** Microseconds a job, the median of many calls behind jobs of the same kind. */
async function cost(optsOf, batch) {
  await redis.flushall();
  for (let left = WAITING; left > 0; left -= BATCH) await insert(optsOf, BATCH);
  const micros = [];
  for (let call = 0; call < CALLS[batch]; call += 1) {
    await redis.config('RESETSTAT');
    await insert(optsOf, batch);
    micros.push(
      Number(/cmdstat_evalsha:calls=1,usec=(\d+)/.exec(await redis.info('commandstats'))[1]) / batch,
    );
  }
  return median(micros);
}

const costs = Object.keys(CASES).map((name) => ({ name, 1: [], 100: [] }));
for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
  for (const row of costs) {
    for (const batch of [1, 100]) row[batch].push(await cost(CASES[row.name], batch));
  }
}
const told = (values) =>
  `${round(median(values))} (${round(Math.min(...values))}–${round(Math.max(...values))})`;
keep('turns', 'What does a group cost Redis when jobs go in?', {
  method: [
    `Time of the insert script by INFO commandstats, in microseconds a job, behind ${WAITING.toLocaleString('en')} jobs of the same kind.`,
    `Medians of ${REPETITIONS} alternating repetitions (min–max), each the median of ${CALLS[1].toLocaleString('en')} calls of one job or ${CALLS[100]} of 100.`,
  ],
  goals: [],
  sections: [
    table(
      'µs a job',
      ['jobs with', 'one a call', '100 a call'],
      costs.map((row) => [row.name, told(row[1]), told(row[100])]),
    ),
  ],
  record: { costs },
});
process.exit(0);
