/** Does a call cost the same with a thousand jobs waiting and with two million, and how long is Redis held? */
import { Redis } from 'ioredis';
import { JOB } from './job.mjs';
import { LOAD_CORE, run, SIDE_CORE, SLUICE_SETTINGS, startRedis, startSluice } from './processes.mjs';
import { keep, median, percentile, round, table } from './report.mjs';

const IS_QUICK = process.env.BENCH_QUICK !== undefined;
const DEPTHS = IS_QUICK ? [1_000, 5_000, 20_000] : [1_000, 100_000, 2_000_000];
const REPETITIONS = IS_QUICK ? 1 : 6;
/** What one command may hold Redis for. */
const MAX_HOLD_MICROS = 50_000;
/** Redis' time for a call, the deepest queue by the shallowest: caches of the processor are all that may tell. */
const FLAT = 1.5;
const FILL_LANES = 8;
const BATCH = 1_000;
const PAUSE_SECONDS = IS_QUICK ? 2 : 20;
const QUEUE = '/api/v2/queues/bench';
const jobs = (count) => ({ resource: Array.from({ length: count }, () => JOB) });
const name = (count) => count.toLocaleString('en');

/** An API and its Redis, with so many jobs waiting. */
class Stack {
  constructor({ depth, sluice, redis }) {
    Object.assign(this, { depth, sluice, redis });
  }

  static async start(depth) {
    const server = await startRedis();
    const sluice = await startSluice(server);
    const redis = new Redis(server.url, { connectionName: 'bench' });
    // Every command is noted: the longest one is known, and not only whether one was too long.
    await redis.config('SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '1000000');
    return new Stack({ depth, sluice, redis });
  }

  async call(method, path, body) {
    const answer = await fetch(`${this.sluice.url}${path}`, {
      method,
      headers: { ...this.sluice.headers, 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  }

  counts() {
    return this.call('GET', QUEUE);
  }

  /** The first 100 that wait, or those after a cursor. */
  list(cursor) {
    const after = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return this.call('GET', `${QUEUE}/jobs?state=waiting&limit=100${after}`);
  }

  enqueue(body) {
    return this.call('POST', `${QUEUE}/jobs`, body);
  }

  clean(options) {
    return this.call('POST', `${QUEUE}/clean`, { state: 'waiting', ...options });
  }

  async waiting() {
    return (await this.counts()).counts.waiting;
  }

  /** Every command of the API since the last look: { kind, micros }. */
  async commandsSince() {
    const entries = await this.redis.slowlog('GET', '-1');
    await this.redis.slowlog('RESET');
    return entries
      .filter(([, , , , , client]) => client !== 'bench')
      .map(([, , micros, [command, script]]) => ({ kind: `${command} ${script ?? ''}`, micros }));
  }

  /** One caller, one call after the other. */
  async measure(what, times, work) {
    await this.commandsSince();
    const tookMs = [];
    for (let at = 0; at < times; at += 1) {
      const begun = performance.now();
      await work();
      tookMs.push(performance.now() - begun);
    }
    const commands = await this.commandsSince();
    return { what, times, tookMs, redisMicros: redisMicrosOf(commands, times), ...holds(commands) };
  }

  /** Leaves as many jobs as it found. */
  async measureAll() {
    let cursor;
    const nextPage = async () => {
      ({ next: cursor } = (await this.list(cursor)).meta);
    };
    const prioritized = { ...JOB, opts: { priority: 5 } };
    const delayed = { ...JOB, opts: { delay: 3_600_000 } };
    const rows = [
      await this.measure('counts', 60, () => this.counts()),
      await this.measure('list, the first 100', 40, () => this.list()),
      await this.measure('list, page after page', 9, nextPage),
      await this.measure('enqueue 1', 60, () => this.enqueue(JOB)),
      await this.measure('enqueue 100', 10, () => this.enqueue(jobs(100))),
      await this.measure('enqueue 1 with priority', 60, () => this.enqueue(prioritized)),
      await this.measure('enqueue 1 delayed', 60, () => this.enqueue(delayed)),
      await this.measure('clean 100 that wait', 10, () => this.clean({ limit: 100 })),
    ];
    await this.clean({ limit: 60 });
    await this.clean({ state: 'prioritized' });
    await this.clean({ state: 'delayed' });
    return rows;
  }

  async fill() {
    let left = this.depth / BATCH;
    const batch = jobs(BATCH);
    return await this.timed(`fill, ${name(BATCH)} a POST, ${FILL_LANES} in flight`, async () => {
      const lane = async () => {
        while (left > 0) {
          left -= 1;
          await this.enqueue(batch);
        }
      };
      await Promise.all(Array.from({ length: FILL_LANES }, lane));
      return this.depth / BATCH;
    });
  }

  /** Each call goes on where the one before stopped. */
  async cleanAll() {
    return await this.timed('clean, all that wait', async () => {
      let calls = 0;
      let cursor;
      do {
        ({ next: cursor } = await this.clean(cursor ? { cursor } : {}));
        calls += 1;
      } while (cursor !== null);
      return calls;
    });
  }

  /** `work` answers how many calls it took. */
  async timed(what, work) {
    await this.commandsSince();
    const begun = performance.now();
    const calls = await work();
    const seconds = (performance.now() - begun) / 1_000;
    return { what, jobs: this.depth, calls, seconds, ...holds(await this.commandsSince()) };
  }
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

/** How long the machine keeps a program that only looks at the clock from going on, in milliseconds. */
async function longestPause() {
  const args = ['-c', LOAD_CORE, 'redis-cli', '--intrinsic-latency', String(PAUSE_SECONDS)];
  const { stdout } = await run('taskset', args);
  const microsSoFar = [...stdout.matchAll(/Max latency so far: (\d+) microseconds/g)];
  return Number(microsSoFar.at(-1)[1]) / 1_000;
}

// With the API, so that Redis has a core of its own: a command that waits for its turn looks like a long one.
await run('taskset', ['-a', '-p', '-c', SIDE_CORE, String(process.pid)]);
const pauseMs = await longestPause();
const stacks = [];
const bulk = [];
for (const depth of DEPTHS) {
  const stack = await Stack.start(depth);
  bulk.push(await stack.fill());
  stacks.push(stack);
  process.stderr.write(`${name(depth)} waiting\n`);
}
// Once unmeasured, so that all code is compiled.
for (const stack of stacks) await stack.measureAll();
const runs = new Map(stacks.map((stack) => [stack, []]));
for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
  for (const [index] of stacks.entries()) {
    const stack = stacks[(index + repetition) % stacks.length];
    runs.get(stack).push(await stack.measureAll());
  }
  process.stderr.write(`repetition ${repetition + 1} of ${REPETITIONS}\n`);
}
const deepest = stacks.at(-1);
const [, memory] = /used_memory:(\d+)/.exec(await deepest.redis.info('memory'));
for (const stack of stacks) {
  const waiting = await stack.waiting();
  if (waiting !== stack.depth) throw new Error(`${waiting} jobs wait where ${stack.depth} did`);
}
bulk.push(await deepest.cleanAll());
if ((await deepest.waiting()) !== 0) throw new Error('jobs are left after all were cleaned');

/** A kind of call at one depth, over all repetitions. */
const rows = stacks.map((stack) => {
  const repetitions = runs.get(stack);
  return repetitions[0].map(({ what, times }, index) => {
    const each = repetitions.map((measured) => measured[index]);
    return {
      what,
      depth: stack.depth,
      calls: times * REPETITIONS,
      tookMs: each.flatMap(({ tookMs }) => tookMs),
      redisMicros: each.map(({ redisMicros }) => redisMicros),
      longestMicros: Math.max(...each.map(({ longestMicros }) => longestMicros)),
      tooLong: each.reduce((sum, { tooLong }) => sum + tooLong, 0),
    };
  });
});
const everything = [...rows.flat(), ...bulk];
const tooLong = everything.reduce((sum, each) => sum + each.tooLong, 0);
const longestMs = Math.max(...everything.map(({ longestMicros }) => longestMicros)) / 1_000;
const [shallow, deep] = [rows[0], rows.at(-1)];
const goals = [
  {
    goal: `commands above ${MAX_HOLD_MICROS / 1_000} ms, of all of this run; the longest took ${round(longestMs)} ms`,
    wanted: '0',
    measured: tooLong,
    isMet: tooLong === 0,
  },
  ...deep.map(({ what, depth, redisMicros }, index) => {
    const ratios = redisMicros.map((micros, at) => micros / shallow[index].redisMicros[at]);
    const ratio = median(ratios);
    return {
      goal: `${what}: Redis time at ${name(depth)} / at ${name(shallow[index].depth)}`,
      wanted: `≤ ${FLAT}`,
      measured: round(ratio),
      spread: `${round(Math.min(...ratios))}–${round(Math.max(...ratios))}`,
      isMet: ratio <= FLAT,
    };
  }),
];
const tables = shallow.map(({ what, calls }, index) =>
  table(
    `${what} (${calls} calls)`,
    ['jobs waiting', 'p50 ms', 'p99 ms', 'Redis µs a call', 'longest command ms'],
    rows.map((at) => {
      const { depth, tookMs, redisMicros, longestMicros } = at[index];
      const cells = [median(tookMs), percentile(tookMs, 0.99), median(redisMicros), longestMicros / 1_000];
      return [name(depth), ...cells.map(round)];
    }),
  ),
);
const bulkTable = table(
  'Filling and emptying',
  ['', 'jobs', 'calls', 'seconds', 'jobs/s', 'longest command ms'],
  bulk.map(({ what, jobs: count, calls, seconds, longestMicros }) => [
    ...[what, name(count), name(calls), round(seconds), name(Math.round(count / seconds))],
    round(longestMicros / 1_000),
  ]),
);
keep('depth', 'Does a call cost the same with a thousand jobs waiting and with two million?', {
  method: [
    `Each depth has an API and a Redis of its own; ${REPETITIONS} alternating repetitions; one caller, one call after the other. Redis has one core, the API and the caller the other.`,
    'Redis time is what its SLOWLOG says: for each kind of command the median, as often as a call has it; ratios are paired within a repetition, medians (min–max).',
    `SLOWLOG measures by the clock on the wall. Before the run the machine kept a program that only looks at the clock waiting for up to ${round(pauseMs)} ms in ${PAUSE_SECONDS} s (redis-cli --intrinsic-latency).`,
    SLUICE_SETTINGS,
  ],
  goals,
  sections: [...tables, bulkTable, `Redis held ${round(Number(memory) / 2 ** 20)} MiB at the deepest.`],
  record: { rows, bulk },
});
process.exit(0);
