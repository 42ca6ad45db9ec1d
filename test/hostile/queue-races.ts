/** This file owns calls that race each other for the jobs of two queues: enqueued, leased, settled, moved, swept out, all at once. */
import { type Answer, HttpClient } from './http-client.ts';
import { Random } from './random.ts';

export interface RaceReport {
  calls: number;
  /** How often which status was answered to what. */
  answers: Record<string, number>;
  /** Answers of 500 and above, with the call. */
  failures: string[];
}

interface Call {
  what: string;
  method: string;
  path: string;
  json?: unknown;
  headers?: Record<string, string>;
}

interface Known {
  jobs: { queue: string; id: string }[];
  leases: string[];
  flows: { queue: string; id: string }[];
}

const QUEUES = ['mail', 'reports'];
const POLICIES = ['fail_parent', 'continue_parent', 'ignore', 'forget', 'wait'];
const IN_FLIGHT = 24;
const MAX_KNOWN = 60;
const MANY_LATEST = 12;
const FINISHED = ['completed', 'failed'];
const SWEPT = ['waiting', 'prioritized', 'delayed', ...FINISHED];
const LISTED = [...SWEPT, 'active', 'waiting-children'];

type Maker = (random: Random, known: Known) => Call | undefined;

/** Sends `calls` of them with some in flight at a time. The same seed begins the same; what follows depends on the answers. */
export async function race(options: {
  url: string;
  key: string;
  seed: number;
  calls: number;
}): Promise<RaceReport> {
  const { url, key, seed, calls: total } = options;
  const client = new HttpClient(url);
  const random = new Random(seed);
  const known: Known = { jobs: [], leases: [], flows: [] };
  const answers: Record<string, number> = {};
  const failures: string[] = [];
  let calls = 0;
  const one = async () => {
    const call = random.pick(MAKERS)(random, known);
    if (!call) return;
    calls += 1;
    const { what, method, path, json, headers = {} } = call;
    const body = json === undefined ? undefined : JSON.stringify(json);
    const answer = await client.send({
      method,
      target: `/api/v2${path}`,
      body,
      headers: {
        'X-DreamFactory-API-Key': key,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
    });
    const told = `${what} ${answer.status}`;
    answers[told] = (answers[told] ?? 0) + 1;
    // One that failed within a batch is no failure of the whole.
    if (answer.status >= 500 || answer.text.includes('"reason":"internal"'))
      failures.push(`${method} ${path} ${body ?? ''}: ${answer.text}`);
    learn(known, call, answer);
  };
  const lane = async () => {
    while (calls < total) await one();
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  } finally {
    client.close();
  }
  return { calls, answers, failures };
}

const job = (random: Random) => ({
  name: random.pick(['a', 'b']),
  data: { n: random.integer(0, 9) },
  opts: random.pick([
    {},
    { ttl: random.integer(1, 30) },
    { attempts: 2, backoff: { type: 'fixed', delay: 1 } },
    { delay: random.integer(1, 30), ttl: 60 },
    { priority: random.integer(1, 3) },
    { group: random.pick(['g', 'h']) },
    { deduplication: { id: 'd', mode: random.pick(['simple', 'keep_last']) } },
    { timeout: random.integer(1, 20), attempts: 3 },
    { retain: { count: 0 } },
  ]),
});
const child = (random: Random) => ({
  queue: random.pick(QUEUES),
  name: 'child',
  on_failure: random.pick(POLICIES),
  opts: random.pick([{}, { ttl: 5 }, { attempts: 2 }]),
});

const onQueue =
  (what: string, method: string, rest: string, json?: (random: Random) => unknown): Maker =>
  (random) => ({
    what,
    method,
    path: `/queues/${random.pick(QUEUES)}${rest}`,
    ...(json && { json: json(random) }),
  });
const onJob =
  (what: string, method: string, rest = '', json?: (random: Random) => unknown): Maker =>
  (random, { jobs }) => {
    if (jobs.length === 0) return undefined;
    const { queue, id } = latest(random, jobs);
    return { what, method, path: `/queues/${queue}/jobs/${id}${rest}`, ...(json && { json: json(random) }) };
  };
const onLease =
  (what: string, json: (random: Random) => unknown): Maker =>
  (random, { leases }) => {
    if (leases.length === 0) return undefined;
    return { what, method: 'POST', path: `/leases/${latest(random, leases)}/${what}`, json: json(random) };
  };

const obliterate: Maker = (random) => {
  // Seldom, or the others find nothing.
  if (random.chance(0.6)) return undefined;
  const queue = random.pick(QUEUES);
  const headers = { 'X-Confirm': queue };
  return {
    what: 'obliterate',
    method: 'POST',
    path: `/queues/${queue}/obliterate`,
    json: { force: true },
    headers,
  };
};
const completeMany: Maker = (random, { leases }) => {
  if (leases.length === 0) return undefined;
  const resource = Array.from({ length: 3 }, () => ({ lease: latest(random, leases), result: 1 }));
  return {
    what: 'complete many',
    method: 'POST',
    path: '/leases/complete?continue=true',
    json: { resource },
  };
};
const flow: Maker = (random) => ({
  what: 'flow',
  method: 'POST',
  path: '/flows',
  json: { queue: random.pick(QUEUES), name: 'parent', children: [child(random), child(random)] },
});
const readFlow: Maker = (random, { flows }) => {
  if (flows.length === 0) return undefined;
  const { queue, id } = latest(random, flows);
  return { what: 'read flow', method: 'GET', path: `/flows/${queue}/${id}` };
};
const take = onQueue('take', 'POST', '/leases', (random) => ({
  count: random.integer(1, 10),
  lease_ms: 1_000,
  ...(random.chance(0.2) && { wait: 1 }),
}));
const enqueue = onQueue('enqueue', 'POST', '/jobs', (random) => ({
  resource: Array.from({ length: 10 }, () => job(random)),
}));
/** Whoever takes these ends them instead of handing them out, if their locks last until then. */
const enqueueLate = onQueue('enqueue', 'POST', '/jobs', () => ({
  resource: Array.from({ length: 20 }, () => ({ name: 'late', data: null, opts: { ttl: 1, timeout: 1 } })),
}));

/** Those that come more than once are what the others race for. */
const MAKERS: readonly Maker[] = [
  ...[enqueue, enqueue, enqueue, enqueueLate, enqueueLate, flow, flow],
  ...[take, take, take, take, take, take],
  onLease('complete', () => ({ result: { done: true } })),
  onLease('complete', () => ({ result: { done: true } })),
  completeMany,
  onLease('fail', (random) => ({ error: 'no', retryable: random.chance(0.5) })),
  onLease('fail', () => ({ error: 'no', retryable: true, delay: 5 })),
  onLease('release', (random) => ({ delay: random.pick([0, 5]) })),
  onLease('heartbeat', () => ({ lease_ms: 1_000 })),
  onLease('progress', () => ({ progress: 50 })),
  onLease('logs', () => ({ lines: ['one'] })),
  obliterate,
  onQueue('resume', 'POST', '/resume'),
  onQueue('resume', 'POST', '/resume'),
  onQueue('pause', 'POST', '/pause'),
  onQueue('drain', 'POST', '/drain', (random) => ({ delayed: random.chance(0.5) })),
  onQueue('clean', 'POST', '/clean', (random) => ({ state: random.pick(SWEPT) })),
  onQueue('redrive', 'POST', '/retry', () => ({})),
  onQueue('limits', 'PUT', '/limits', (random) => ({
    concurrency: random.pick([null, 5]),
    rate: random.pick([null, { max: 20, duration: 50 }]),
  })),
  onQueue('read queue', 'GET', ''),
  (random) => onQueue('list', 'GET', `/jobs?state=${random.pick(LISTED)}`)(random, NOTHING),
  (random) => onQueue('search', 'GET', `/search?state=${random.pick(LISTED)}&text=n`)(random, NOTHING),
  onQueue('schedule', 'PUT', '/schedulers/tick', (random) => ({
    schedule: { every: random.pick([1_000, 2_000]) },
    name: 'tick',
  })),
  onQueue('unschedule', 'DELETE', '/schedulers/tick'),
  onQueue('read scheduler', 'GET', '/schedulers/tick'),
  onQueue('list schedulers', 'GET', '/schedulers'),
  ...[onJob('read', 'GET'), onJob('result', 'GET', '/result'), onJob('log', 'GET', '/logs'), readFlow],
  ...[onJob('retry', 'POST', '/retry'), onJob('promote', 'POST', '/promote')],
  ...[onJob('cancel', 'POST', '/cancel'), onJob('remove', 'DELETE')],
  onJob('update', 'PATCH', '', (random) => random.pick([{ priority: 2 }, { data: 1 }, { delay: 5 }])),
];
const NOTHING: Known = { jobs: [], leases: [], flows: [] };

function learn(known: Known, { what, path }: Call, { status, text }: Answer): void {
  if (status >= 300) return;
  const queue = path.split('/')[2] as string;
  const body = JSON.parse(text) as { id?: string; queue?: string; resource?: Record<string, unknown>[] };
  if (what === 'take') for (const { lease } of body.resource ?? []) keep(known.leases, lease as string);
  if (what === 'enqueue')
    for (const { id } of body.resource ?? []) keep(known.jobs, { queue, id: id as string });
  if (what === 'flow') keep(known.flows, { queue: body.queue as string, id: body.id as string });
}

/** One that is likely still there, or any. */
function latest<T>(random: Random, list: readonly T[]): T {
  return random.pick(random.chance(0.7) ? list.slice(-MANY_LATEST) : list);
}

function keep<T>(list: T[], one: T): void {
  list.push(one);
  if (list.length > MAX_KNOWN) list.shift();
}
