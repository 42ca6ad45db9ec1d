/**
 * This file owns the question whether workers may be killed: `kill -9` to one after another while jobs of three kinds go
 * in, and afterwards each acknowledged job is looked for at the sink and in its queue.
 */
import { join } from 'node:path';
import { type Cleaner, KEY, OwnRedis, type Product, Program, startProduct, until } from '../e2e/product.ts';
import { Sink } from './sink.ts';

const ROOT = join(import.meta.dirname, '../..');
const BATCH = 25;
/** A lock runs out after 30 s and is looked for every 30 s. */
const SETTLE_MS = 150_000;

export interface CrashOptions {
  /** Of all kinds together. */
  jobs: number;
  /** While jobs go in and workers are killed. */
  seconds: number;
  killEverySeconds: number;
  seed: number;
  /** Told of the way. */
  say: (line: string) => void;
}

export type Kind = 'native' | 'leased' | 'delivery';

export interface KindReport {
  acknowledged: number;
  /** Jobs whose effect the sink has. */
  effects: number;
  lost: number;
  /** Calls of the sink beyond the first of each job. */
  repeated: number;
  failed: number;
  unfinished: number;
}

export interface CrashReport {
  options: Omit<CrashOptions, 'say'>;
  kills: number;
  /** From the last kill until every job had ended. */
  settledSeconds: number;
  kinds: Record<Kind, KindReport>;
}

const QUEUES: Record<Kind, string> = { native: 'native', leased: 'pull-crash', delivery: 'deliveries' };

export async function crashWorkers(t: Cleaner, options: CrashOptions): Promise<CrashReport> {
  const { jobs, seconds, killEverySeconds, seed, say } = options;
  const random = randomBy(seed);
  const sink = await Sink.open(random);
  t.onTestFinished(() => sink.close());
  const redis = await OwnRedis.start(t);
  const variables = {
    SLUICE_SECRET: 's'.repeat(40),
    EGRESS_ALLOW: '127.0.0.1',
    EGRESS_PORTS: String(sink.port),
    API_LIMIT_PER_KEY: 'off',
    API_LIMIT_PER_ADDRESS: 'off',
  };
  const product = await startProduct(t, redis.url, variables);
  const crew = new Crew({ product, variables, redisUrl: redis.url, sinkUrl: sink.url, random });
  t.onTestFinished(() => crew.end());
  await crew.start();

  const ids: Record<Kind, Set<string>> = { native: new Set(), leased: new Set(), delivery: new Set() };
  const begun = Date.now();
  const endsAt = begun + seconds * 1_000;
  const killing = (async () => {
    for (let at = begun; at < endsAt; at += killEverySeconds * 1_000) {
      await sleepUntil(at);
      await crew.killOne();
    }
  })();
  const kinds = Object.keys(QUEUES) as Kind[];
  const batches = Math.ceil(jobs / BATCH);
  for (let batch = 0; batch < batches; batch += 1) {
    await sleepUntil(begun + (batch / batches) * seconds * 1_000);
    const kind = kinds[batch % kinds.length] as Kind;
    const count = Math.min(BATCH, jobs - batch * BATCH);
    for (const id of await enqueue(product, kind, count, sink)) ids[kind].add(id);
    if (batch % 40 === 0)
      say(`${batch * BATCH} of ${jobs} jobs, ${crew.kills} kills, ${sink.calls.size} effects`);
  }
  await killing;
  const lastKill = Date.now();

  const isSettled = async () => (await unfinished(product)) === 0 || undefined;
  await until(isSettled, SETTLE_MS, 250).catch(() => say('not all jobs have ended in time'));
  const settledSeconds = Math.round((Date.now() - lastKill) / 100) / 10;
  const report = { kills: crew.kills, settledSeconds, kinds: {} as CrashReport['kinds'] };
  for (const kind of kinds) report.kinds[kind] = await judge(product, kind, ids[kind], sink);
  return { options: { jobs, seconds, killEverySeconds, seed }, ...report };
}

/** The workers: two of the app, two over HTTP. One that is killed is replaced at once. */
class Crew {
  kills = 0;
  readonly #members: { start: () => Program; program: Program }[] = [];
  readonly #starters: (() => Program)[];
  readonly #random: () => number;

  constructor(options: {
    product: Product;
    variables: Record<string, string>;
    redisUrl: string;
    sinkUrl: string;
    random: () => number;
  }) {
    const { product, variables, redisUrl, sinkUrl, random } = options;
    this.#random = random;
    const env = {
      ...{ PATH: process.env.PATH, HOME: product.directory, REDIS_URL: redisUrl, WORKER_HEALTH_PORT: '0' },
      ...{ SLUICE_DATA_DIR: product.directory, ...variables },
    };
    const app = () => new Program(process.execPath, [join(ROOT, 'apps/worker/dist/main.js')], env, ROOT);
    const lent = {
      ...env,
      SLUICE_URL: product.url,
      SLUICE_KEY: KEY,
      QUEUE: QUEUES.leased,
      SINK_URL: sinkUrl,
    };
    const overHttp = () =>
      new Program(process.execPath, [join(import.meta.dirname, 'lease-worker.mjs')], lent, ROOT);
    this.#starters = [app, overHttp, overHttp];
    this.#members.push({ start: app, program: product.worker });
  }

  async start(): Promise<void> {
    for (const start of this.#starters) {
      const program = start();
      this.#members.push({ start, program });
      await program.says(/worker started/);
    }
  }

  async killOne(): Promise<void> {
    const member = this.#members[Math.floor(this.#random() * this.#members.length)];
    if (!member) return;
    await member.program.kill('SIGKILL');
    this.kills += 1;
    member.program = member.start();
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(({ program }) => program.kill()));
  }
}

async function enqueue(product: Product, kind: Kind, count: number, sink: Sink): Promise<string[]> {
  const key = () => `crash-${crypto.randomUUID()}`;
  const items = Array.from({ length: count }, () => {
    if (kind === 'delivery') return { url: sink.url, body: { n: 1 }, schedule: [0, '1s', '5s', '5s', '5s'] };
    if (kind === 'leased') return { name: 'put', data: {} };
    const idempotencyKey = key();
    const data = { url: sink.url, method: 'POST', headers: { 'Idempotency-Key': idempotencyKey } };
    return { name: 'http.request', data, idempotency_key: idempotencyKey };
  });
  const path = kind === 'delivery' ? '/deliveries' : `/queues/${QUEUES[kind]}/jobs`;
  const answer = await product.call(path, { method: 'POST', json: { resource: items } });
  const body = (await answer.json()) as { resource: { id: string }[] };
  if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(body)}`);
  // What the sink is told by: our own key, or the id of the job.
  if (kind === 'native') return items.map((item) => (item as { idempotency_key: string }).idempotency_key);
  return body.resource.map(({ id }) => id);
}

type Counts = Record<string, number>;

async function countsOf(product: Product, kind: Kind): Promise<Counts> {
  const answer = await product.call(`/queues/${QUEUES[kind]}`);
  return ((await answer.json()) as { counts: Counts }).counts;
}

const UNFINISHED = ['waiting', 'prioritized', 'delayed', 'active', 'waiting_children'];

async function unfinished(product: Product): Promise<number> {
  let sum = 0;
  for (const kind of Object.keys(QUEUES) as Kind[]) {
    const counts = await countsOf(product, kind);
    for (const state of UNFINISHED) sum += counts[state] ?? 0;
  }
  return sum;
}

async function judge(
  product: Product,
  kind: Kind,
  ids: ReadonlySet<string>,
  sink: Sink,
): Promise<KindReport> {
  const counts = await countsOf(product, kind);
  let effects = 0;
  let repeated = 0;
  for (const id of ids) {
    const calls = sink.calls.get(id) ?? 0;
    if (calls > 0) effects += 1;
    repeated += Math.max(0, calls - 1);
  }
  return {
    acknowledged: ids.size,
    effects,
    lost: ids.size - effects,
    repeated,
    failed: counts.failed ?? 0,
    unfinished: UNFINISHED.reduce((sum, state) => sum + (counts[state] ?? 0), 0),
  };
}

/** mulberry32: the same numbers for the same seed. */
export function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function sleepUntil(at: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));
}
