/**
 * Both writers - BullMQ's own scripts, one call a job, and our batch insert - write the same generated jobs into two
 * queues that were prepared alike; then every key, field, event and marker of the two is compared.
 *
 * `SLUICE_DIFFERENTIAL_RUNS` sets the number of cases (default 500; `npm run differential` in packages/jobs: 10,000),
 * `SLUICE_DIFFERENTIAL_SEED` repeats a run. Both are printed.
 */
import { randomBytes } from 'node:crypto';
import { type RedisClient, scanKeys, unlinkByPrefix } from '@sluice/redis';
import { testRedis } from '@sluice/redis/testing';
import { type JobsOptions, Queue, type RedisQueueBackend } from 'bullmq';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BullConnection } from '../src/bullmq.ts';
import { toInsertion } from '../src/stored-job.ts';

const RUNS = Number(process.env.SLUICE_DIFFERENTIAL_RUNS ?? 500);
const SEED = Number(process.env.SLUICE_DIFFERENTIAL_SEED ?? randomBytes(4).readInt32BE());

/** Times near each other, so that delayed scores collide. */
const NOW = 1_780_000_000_000;

interface GeneratedJob {
  name: string;
  data: unknown;
  opts: JobsOptions;
  /** A child of a job that is there, of one that is not, or of none. */
  parent: 'p1' | 'missing' | undefined;
}

interface Scene {
  paused: boolean;
  concurrency: number | null;
  maxEvents: number | null;
  /** A deduplication key whose job is gone. */
  stale: boolean;
  /** What a deduplicated job left to run next. */
  leftover: boolean;
  /** A delayed job with the last score of its millisecond. */
  full: boolean;
  before: GeneratedJob[];
  /** Earlier jobs a worker has taken. */
  taken: number;
  batches: GeneratedJob[][];
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom(
    'marker',
    'meta',
    '0',
    '__proto__',
    'a:b',
    '{x}',
    '\u0000',
    '\n',
    '😀',
    '/',
    '"',
    '\\',
    '%d',
  ),
);
const deduplication = fc.record(
  {
    id: fc.constantFrom('d1', 'd2', 'é:{x}'),
    ttl: fc.constantFrom(0, 60_000, 90_000),
    extend: fc.boolean(),
    replace: fc.boolean(),
    reschedule: fc.boolean(),
    keepLastIfActive: fc.boolean(),
  },
  { requiredKeys: ['id'] },
);
const retention = fc.oneof(
  fc.boolean(),
  fc.nat(1_000),
  fc.record({ age: fc.nat(), count: fc.nat() }, { requiredKeys: ['age'] }),
);
const jitter = fc.double({ min: 0, max: 1, noNaN: true });
const backoff = fc.record({ type: fc.constantFrom('fixed', 'exponential'), delay: fc.nat(5_000), jitter });
const opts: fc.Arbitrary<JobsOptions> = fc.record(
  {
    timestamp: fc.integer({ min: NOW, max: NOW + 3 }),
    jobId: fc.constantFrom('j_1', 'j_2', 'j_3', 'custom', 'é', 'with space'),
    delay: fc.constantFrom(0, 1, 2, 3, 1_000, 31_536_000_000),
    priority: fc.constantFrom(0, 1, 2, 3, 2_097_151),
    lifo: fc.boolean(),
    attempts: fc.nat(20),
    backoff: fc.oneof(fc.nat(5_000), backoff),
    removeOnComplete: retention,
    removeOnFail: retention,
    keepLogs: fc.nat(100),
    stackTraceLimit: fc.nat(5),
    deduplication,
    sluice: fc.record({ timeoutMs: fc.nat(), expiresAt: fc.integer({ min: NOW, max: NOW * 2 }) }),
    telemetry: fc.record({ metadata: fc.string(), omitContext: fc.boolean() }, { requiredKeys: [] }),
    failParentOnFailure: fc.boolean(),
  },
  { requiredKeys: ['timestamp'] },
);
const parent = fc.oneof(
  { weight: 20, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom('p1' as const, 'missing' as const) },
);
const job: fc.Arbitrary<GeneratedJob> = fc.record({ name: text, data: fc.jsonValue(), opts, parent });
const scene: fc.Arbitrary<Scene> = fc.record({
  paused: fc.boolean(),
  concurrency: fc.option(fc.constantFrom(1, 2, 100)),
  maxEvents: fc.option(fc.constantFrom(2, 100)),
  stale: fc.boolean(),
  leftover: fc.boolean(),
  full: fc.boolean(),
  before: fc.array(job, { maxLength: 4 }),
  taken: fc.nat(3),
  batches: fc.array(fc.array(job, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 2 }),
});

type Entries = Parameters<RedisQueueBackend['addJobs']>[0];
/** Ids in order; of a job that could not be added, why. */
type Writer = (entries: Entries) => Promise<string[]>;

it('leaves what BullMQ leaves', { timeout: 3_600_000 }, async (t) => {
  const { client, keys } = await testRedis(t);
  const prefix = keys.queuePrefix('q');
  const connection = new BullConnection(client);
  const queue = new Queue('q', { connection: client, prefix, skipMetasUpdate: true, skipVersionCheck: true });
  t.onTestFinished(() => connection.close());
  const writers: { theirs: Writer; ours: Writer } = {
    theirs: (entries) => addOneByOne(queue, entries),
    async ours(entries) {
      const outcomes = await connection.queue(prefix, 'q').insertAll(entries);
      return outcomes.map((outcome) =>
        'id' in outcome ? outcome.id : (outcome as { message: string }).message,
      );
    },
  };
  let jobs = 0;
  let ourJobs = 0;

  const play = async (generated: Scene, write: Writer) => {
    await stage(client, queue, prefix, generated);
    const answers: string[][] = [];
    for (const batch of generated.batches) {
      const entries = await entriesOf(queue, batch);
      jobs += entries.length;
      ourJobs += entries.filter((entry) => toInsertion(entry)).length;
      answers.push(await write(entries));
    }
    return { answers, keys: await snapshot(client, `${prefix}:q:`) };
  };

  console.info(`differential: ${RUNS} cases, seed ${SEED}`);
  await fc.assert(
    fc.asyncProperty(scene, async (generated) => {
      const theirs = await play(generated, writers.theirs);
      const ours = await play(generated, writers.ours);

      expect(ours).toEqual(theirs);
    }),
    { numRuns: RUNS, seed: SEED },
  );

  // The comparison would hold as well if everything were left to BullMQ.
  expect(ourJobs / jobs).toBeGreaterThan(0.9);
});

/** A queue with this scene's settings and earlier jobs, written by BullMQ. */
async function stage(client: RedisClient, queue: Queue, prefix: string, generated: Scene): Promise<void> {
  await unlinkByPrefix(client, `${prefix}:q:`);
  const { maxEvents, concurrency, stale, leftover, full, before, taken, paused } = generated;
  if (maxEvents !== null) {
    await client.hset(`${prefix}:q:meta`, 'opts.maxLenEvents', maxEvents);
    // Redis trims a stream by nodes of 100 entries: the next one is near.
    const events = client.pipeline();
    for (let index = 0; index < 95; index += 1) events.xadd(`${prefix}:q:events`, '*', 'event', 'old');
    await events.exec();
  }
  if (concurrency !== null) await client.hset(`${prefix}:q:meta`, 'concurrency', concurrency);
  if (stale) await client.set(`${prefix}:q:de:d1`, 'j_gone');
  await queue.add('parent', {}, { jobId: 'p1', timestamp: NOW });
  await addOneByOne(queue, await entriesOf(queue, before));
  for (let index = 0; index < taken; index += 1) {
    await client.lmove(`${prefix}:q:wait`, `${prefix}:q:active`, 'RIGHT', 'LEFT');
  }
  if (leftover) await client.hset(`${prefix}:q:dn:d1`, 'name', 'next');
  if (full) await client.zadd(`${prefix}:q:delayed`, (NOW + 3) * 4_096 - 1, 'last');
  // As after a worker that has been woken.
  await client.unlink(`${prefix}:q:marker`);
  if (paused) await queue.pause();
}

/** What `addBulk` hands its backend. */
async function entriesOf(queue: Queue, batch: readonly GeneratedJob[]): Promise<Entries> {
  const backend = queue.getBackend();
  let entries: Entries = [];
  backend.addJobs = async (handed) => {
    entries = handed;
    return handed.map(() => '');
  };
  await queue.addBulk(
    batch.map(({ name, data, opts: given, parent: id }) => ({
      name,
      data,
      opts: withParent(given, id, queue),
    })),
  );
  Reflect.deleteProperty(backend, 'addJobs');
  return entries;
}

function withParent(given: JobsOptions, id: string | undefined, queue: Queue): JobsOptions {
  if (id === undefined) return given;
  // BullMQ refuses a child that is deduplicated.
  const { deduplication: dropped, ...rest } = given;
  return { ...rest, parent: { id, queue: queue.qualifiedName } };
}

async function addOneByOne(queue: Queue, entries: Entries): Promise<string[]> {
  const answers: string[] = [];
  for (const { job: json, jobId, parentKeyOpts } of entries) {
    try {
      answers.push(await queue.getBackend().addJob(json, jobId, parentKeyOpts));
    } catch (error) {
      answers.push((error as Error).message);
    }
  }
  return answers;
}

/** Everything under a prefix: values in their order, and times to live as far as they do not pass meanwhile. */
async function snapshot(client: RedisClient, base: string): Promise<Record<string, unknown>> {
  const keys: string[] = [];
  for await (const page of scanKeys(client, base)) keys.push(...page);
  const found: Record<string, unknown> = {};
  for (const key of [...new Set(keys)].sort()) {
    const [type, ttlMs] = await Promise.all([client.type(key), client.pttl(key)]);
    const ttl = ttlMs < 0 ? ttlMs : Math.round(ttlMs / 30_000) * 30_000;
    found[key.slice(base.length)] = { type, ttl, value: await read(client, key, type) };
  }
  return found;
}

async function read(client: RedisClient, key: string, type: string): Promise<unknown> {
  switch (type) {
    case 'hash':
      return await client.hgetall(key);
    case 'list':
      return await client.lrange(key, 0, -1);
    case 'zset':
      return await client.zrange(key, '0', '-1', 'WITHSCORES');
    case 'set':
      return (await client.smembers(key)).sort();
    case 'stream':
      return (await client.xrange(key, '-', '+')).map(([, fields]) => fields);
    default:
      return await client.get(key);
  }
}
