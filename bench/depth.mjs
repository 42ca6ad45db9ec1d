/** Does a call cost the same with a thousand jobs waiting and with two million, and how long is Redis held? */
import { Redis } from 'ioredis';
import { JOB } from './job.mjs';
import { LOAD_CORE, run, SLUICE_SETTINGS, startRedis, startSluice } from './processes.mjs';
import { keep, median, percentile, round, table } from './report.mjs';

const DEPTHS = process.env.BENCH_QUICK ? [1_000, 20_000] : [1_000, 100_000, 2_000_000];
/** What one command may hold Redis for. */
const MAX_HOLD_MICROS = 50_000;
/** Redis' time for a call, the deepest queue by the shallowest: caches of the processor are all that may tell. */
const FLAT = 1.5;
const FILL_LANES = 8;
const BATCH = 1_000;
const PAUSE_SECONDS = process.env.BENCH_QUICK ? 2 : 20;
const QUEUE = '/api/v2/queues/bench';

const pauseMs = await longestPause();
const server = await startRedis();
const sluice = await startSluice(server);
const redis = new Redis(server.url, { connectionName: 'bench' });
// Every command is noted: the longest one is known, and not only whether one was too long.
await redis.config('SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '1000000');

/** How long the machine keeps a program that only looks at the clock from going on, in milliseconds. */
async function longestPause() {
  const args = ['-c', LOAD_CORE, 'redis-cli', '--intrinsic-latency', String(PAUSE_SECONDS)];
  const { stdout } = await run('taskset', args);
  const microsSoFar = [...stdout.matchAll(/Max latency so far: (\d+) microseconds/g)];
  return Number(microsSoFar.at(-1)[1]) / 1_000;
}

async function call(method, path, body) {
  const answer = await fetch(`${sluice.url}${path}`, {
    method,
    headers: { ...sluice.headers, 'Content-Type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

const jobs = (count) => ({ resource: Array.from({ length: count }, () => JOB) });
const deepEnough = jobs(BATCH);
const enqueue = (body) => call('POST', `${QUEUE}/jobs`, body);
const counts = () => call('GET', QUEUE);
const clean = (more) => call('POST', `${QUEUE}/clean`, { state: 'waiting', ...more });

async function fill(depth) {
  let left = Math.ceil((depth - (await waiting())) / BATCH);
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await enqueue(deepEnough);
    }
  };
  await Promise.all(Array.from({ length: FILL_LANES }, lane));
}

async function waiting() {
  return await redis.llen((await redis.keys('*:bench:wait'))[0] ?? 'none');
}

/** Every command of the API since the last look: { kind, micros }. */
async function commandsSince() {
  const entries = await redis.slowlog('GET', '-1');
  await redis.slowlog('RESET');
  return entries
    .filter(([, , , , , client]) => client !== 'bench')
    .map(([, , micros, [command, script]]) => ({ kind: `${command} ${script ?? ''}`, micros }));
}

/** What the longest of these commands took, and how many took too long. */
function holds(commands) {
  return {
    longestMicros: commands.reduce((most, { micros }) => Math.max(most, micros), 0),
    tooLong: commands.filter(({ micros }) => micros > MAX_HOLD_MICROS).length,
  };
}

/** Redis' time for a call: for each kind of command its median, as often as a call has it. Pauses of the machine do not count. */
function redisMicrosOf(commands, calls) {
  const byKind = new Map();
  for (const { kind, micros } of commands) {
    if (!byKind.has(kind)) byKind.set(kind, []);
    byKind.get(kind).push(micros);
  }
  let sum = 0;
  for (const all of byKind.values()) sum += (median(all) * all.length) / calls;
  return sum;
}

/** One caller, one call after the other. */
async function measure(name, times, work) {
  await commandsSince();
  const tookMs = [];
  for (let at = 0; at < times; at += 1) {
    const begun = performance.now();
    await work(at);
    tookMs.push(performance.now() - begun);
  }
  const commands = await commandsSince();
  return {
    name,
    calls: times,
    p50Ms: median(tookMs),
    p99Ms: percentile(tookMs, 0.99),
    redisMicros: redisMicrosOf(commands, times),
    ...holds(commands),
  };
}

/** Leaves as many jobs as it found. */
async function measureAt(depth) {
  let cursor;
  const nextPage = async () => {
    const more = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    ({
      meta: { next: cursor },
    } = await call('GET', `${QUEUE}/jobs?state=waiting&limit=100${more}`));
  };
  const prioritized = { ...JOB, opts: { priority: 5 } };
  const delayed = { ...JOB, opts: { delay: 3_600_000 } };
  const rows = [
    await measure('counts', 300, counts),
    await measure('list, the first 100', 200, () => call('GET', `${QUEUE}/jobs?state=waiting&limit=100`)),
    await measure('list, page after page', Math.min(100, depth / 100), nextPage),
    await measure('enqueue 1', 300, () => enqueue(JOB)),
    await measure('enqueue 100', 7, () => enqueue(jobs(100))),
    await measure('enqueue 1 with priority', 300, () => enqueue(prioritized)),
    await measure('enqueue 1 delayed', 300, () => enqueue(delayed)),
    await measure('clean 100 that wait', 10, () => clean({ limit: 100 })),
  ];
  await clean({ state: 'prioritized' });
  await clean({ state: 'delayed' });
  return { depth, rows };
}

/** All that wait, each call going on where the one before stopped. */
async function cleanAll() {
  let cursor;
  let removed = 0;
  const step = async () => {
    const { affected, next } = await clean(cursor === undefined ? {} : { cursor });
    removed += affected;
    cursor = next ?? undefined;
  };
  await commandsSince();
  const begun = performance.now();
  let calls = 0;
  do {
    await step();
    calls += 1;
  } while (cursor !== undefined);
  const seconds = (performance.now() - begun) / 1_000;
  const commands = await commandsSince();
  return {
    removed,
    calls,
    seconds,
    ...holds(commands),
  };
}

// Once unmeasured, so that all code is compiled.
await fill(DEPTHS[0]);
await measureAt(DEPTHS[0]);

const measured = [];
const fills = [];
for (const depth of DEPTHS) {
  await commandsSince();
  const before = await waiting();
  const begun = performance.now();
  await fill(depth);
  const seconds = (performance.now() - begun) / 1_000;
  const commands = await commandsSince();
  fills.push({
    added: (await waiting()) - before,
    seconds,
    ...holds(commands),
  });
  measured.push(await measureAt(depth));
  process.stderr.write(`${depth.toLocaleString('en')} waiting: measured\n`);
}
const memory = /used_memory:(\d+)/.exec(await redis.info('memory'));
const cleaned = await cleanAll();
if ((await waiting()) !== 0) throw new Error('jobs are left after all were cleaned');

const shallow = measured[0];
const deep = measured.at(-1);
const everything = [...measured.flatMap(({ rows }) => rows), ...fills, cleaned];
const tooLong = everything.reduce((sum, each) => sum + each.tooLong, 0);
const longest = Math.max(...everything.map(({ longestMicros }) => longestMicros));
const name = (depth) => depth.toLocaleString('en');
const goals = [
  {
    goal: `commands above ${MAX_HOLD_MICROS / 1_000} ms, of all; the longest took ${round(longest / 1_000)} ms`,
    wanted: '0',
    measured: tooLong,
    isMet: tooLong === 0,
  },
  ...shallow.rows.map((row, index) => {
    const ratio = deep.rows[index].redisMicros / row.redisMicros;
    return {
      goal: `${row.name}: Redis time at ${name(deep.depth)} / at ${name(shallow.depth)}`,
      wanted: `≤ ${FLAT}`,
      measured: round(ratio),
      isMet: ratio <= FLAT,
    };
  }),
];
const cells = ({ p50Ms, p99Ms, redisMicros, longestMicros }) => [
  ...[round(p50Ms), round(p99Ms), round(redisMicros), round(longestMicros / 1_000)],
];
keep('depth', 'Does a call cost the same with a thousand jobs waiting and with two million?', {
  method: [
    'One caller, one call after the other. Redis time is what its SLOWLOG says: for each kind of command the median, as often as a call has it.',
    `SLOWLOG measures by the clock on the wall: of the longest commands, what the machine takes away is a part. In ${PAUSE_SECONDS} s before the run it kept a program that only looks at the clock waiting for ${round(pauseMs)} ms (redis-cli --intrinsic-latency).`,
    'Each depth begins where the one before ended; the API has one core, Redis and the caller the other.',
    SLUICE_SETTINGS,
  ],
  goals,
  sections: [
    ...shallow.rows.map((row, index) =>
      table(
        `${row.name} (${row.calls} calls)`,
        ['jobs waiting', 'p50 ms', 'p99 ms', 'Redis µs a call', 'longest command ms'],
        measured.map(({ depth, rows }) => [name(depth), ...cells(rows[index])]),
      ),
    ),
    table(
      'Filling and emptying',
      ['', 'jobs', 'seconds', 'jobs/s', 'calls', 'longest command ms'],
      [
        ...fills.map(({ added, seconds, longestMicros }, index) => [
          `to ${name(DEPTHS[index])}, ${name(BATCH)} a POST, ${FILL_LANES} in flight`,
          ...[name(added), round(seconds), name(Math.round(added / seconds)), name(added / BATCH)],
          round(longestMicros / 1_000),
        ]),
        [
          'clean, all that wait',
          ...[name(cleaned.removed), round(cleaned.seconds)],
          ...[name(Math.round(cleaned.removed / cleaned.seconds)), cleaned.calls],
          round(cleaned.longestMicros / 1_000),
        ],
      ],
    ),
    `Redis held ${round(Number(memory[1]) / 2 ** 20)} MiB at the deepest.`,
  ],
  record: { measured, fills, cleaned },
});
process.exit(0);
