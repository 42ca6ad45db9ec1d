/**
 * Jobs are taken and completed by BullMQ's own scripts, one call a job, and by ours, one call for all of them, in two queues
 * that were prepared alike; then every key, field and event of the two is compared. What leases keep for themselves is
 * left out, and the marker: ours wakes workers only when jobs are left.
 */
import { type RedisClient, scanKeys, unlinkByPrefix } from '@sluice/redis';
import { testRedis } from '@sluice/redis/testing';
import { type JobsOptions, Queue, Worker } from 'bullmq';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { BullConnection } from '../src/bullmq.ts';
import { Jobs } from '../src/jobs.ts';

const RUNS = Number(process.env.SLUICE_DIFFERENTIAL_RUNS ?? 500) / 5;
/** Long ago, so that jobs delayed from then are due. */
const THEN = 1_700_000_000_000;

interface Scene {
  jobs: JobsOptions[];
  isPaused: boolean;
  concurrency: number | undefined;
  rate: { max: number; duration: number } | undefined;
  count: number;
  /** Of those taken, the first so many. */
  completed: number;
}

const scene: fc.Arbitrary<Scene> = fc.record({
  jobs: fc.array(
    fc.record(
      {
        priority: fc.constantFrom(0, 1, 2),
        lifo: fc.boolean(),
        delay: fc.constantFrom(0, 1_000, 1_001),
        removeOnComplete: fc.oneof(
          fc.boolean(),
          fc.nat(3),
          fc.record({ count: fc.nat(3), age: fc.constant(3_600) }, { requiredKeys: ['age'] }),
        ),
        attempts: fc.nat(3),
      },
      { requiredKeys: [] },
    ),
    { minLength: 1, maxLength: 9 },
  ),
  isPaused: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  concurrency: fc.option(fc.constantFrom(1, 3, 100), { nil: undefined }),
  rate: fc.option(fc.constantFrom({ max: 1, duration: 60_000 }, { max: 4, duration: 60_000 }), {
    nil: undefined,
  }),
  count: fc.integer({ min: 1, max: 12 }),
  completed: fc.nat(12),
});

it('leaves what BullMQ leaves', { timeout: 120_000 }, async (t) => {
  // Jobs that end in one millisecond are ordered by their ids, whoever ends them: so all of them end in one.
  vi.useFakeTimers({ toFake: ['Date'] });
  t.onTestFinished(() => void vi.useRealTimers());
  const redis = await testRedis(t);
  const { client, keys } = redis;
  const jobs = new Jobs({ client, subscriber: redis.connect('subscriber'), keys });
  const bull = new BullConnection(client);
  const connection = redis.connect('worker');
  const worker = new Worker('theirs', null, {
    connection,
    prefix: keys.queuePrefix('theirs'),
    autorun: false,
  });
  t.onTestFinished(async () => {
    await worker.close(true);
    await jobs.close();
    await bull.close();
  });

  const prepare = async (name: string, { jobs: each, isPaused, concurrency, rate }: Scene) => {
    const queue = new Queue(name, { connection, prefix: keys.queuePrefix(name), skipMetasUpdate: true });
    for (const [index, opts] of each.entries())
      await queue.add(`n${index}`, { index }, { ...opts, jobId: `j_${index}`, timestamp: THEN + index });
    if (concurrency !== undefined || rate) await jobs.setLimits(name, { concurrency, rate });
    if (isPaused) await queue.pause();
  };
  const byBullMq = async ({ jobs: each, count, completed }: Scene) => {
    const backend = bull.queue(keys.queuePrefix('theirs'), 'theirs');
    const taken: string[] = [];
    while (taken.length < count) {
      const [, id] = (await worker.getBackend().moveToActive('token', 'lease:k')) as [
        unknown,
        string | undefined,
      ];
      if (!id) break;
      taken.push(id);
    }
    for (const id of taken.slice(0, completed)) {
      const opts = { attempts: 1, ...each[Number(id.slice(2))] };
      await backend.complete({ id, opts }, `"${id}"`, 'token', { 'sluice:lease': 'token' });
    }
  };
  const byLeases = async ({ count, completed }: Scene) => {
    const taken = await jobs.leases.take('ours', { count, leaseMs: 30_000, holder: 'k' });
    const items = taken.slice(0, completed).map(({ lease, job }) => ({
      lease: jobs.leases.open(lease, 'k'),
      result: job.id,
    }));
    for (const result of await jobs.leases.completeMany(items)) expect(result).toMatchObject({ ok: true });
  };

  await fc.assert(
    fc.asyncProperty(scene, async (each) => {
      for (const name of ['ours', 'theirs']) {
        await unlinkByPrefix(client, `${keys.queuePrefix(name)}:${name}:`);
        await prepare(name, each);
      }

      await byBullMq(each);
      await byLeases(each);

      expect(await dump(client, `${keys.queuePrefix('ours')}:ours:`)).toEqual(
        await dump(client, `${keys.queuePrefix('theirs')}:theirs:`),
      );
    }),
    { numRuns: RUNS },
  );
});

async function dump(client: RedisClient, base: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for await (const page of scanKeys(client, base)) {
    for (const key of page) {
      const name = key.slice(base.length);
      if (name === 'marker' || name === 'stalled-check' || name.startsWith('sluice:')) continue;
      found[name] = await read(client, key, name);
    }
  }
  return found;
}

async function read(client: RedisClient, key: string, name: string): Promise<unknown> {
  switch (await client.type(key)) {
    case 'list':
      return await client.lrange(key, 0, -1);
    case 'set':
      return (await client.smembers(key)).sort();
    case 'zset':
      return await client.zrange(key, '0', '-1', 'WITHSCORES');
    case 'hash':
      // The token differs by nature; whether there is one does not.
      return Object.fromEntries(
        Object.entries(await client.hgetall(key)).map(([field, value]) => [
          field,
          field === 'sluice:lease' ? 'token' : value,
        ]),
      );
    case 'stream':
      return (await client.xrange(key, '-', '+')).map(([, fields]) => fields);
    default:
      return name.endsWith(':lock') ? 'locked' : await client.get(key);
  }
}
