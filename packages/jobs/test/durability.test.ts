import { keyspace } from '@sluice/config';
import { type RedisClient, untilReady } from '@sluice/redis';
import {
  guardedServer,
  PRODUCT_USER,
  type TestServer,
  testServer,
  waitaofProgram,
} from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { queueKeys } from '../src/keys.ts';
import type { TestContext } from './setup.ts';

const MEMORY_ONLY = ['save ""', 'appendonly no', 'repl-diskless-sync-delay 0'];
const SYNCED_ALWAYS = ['appendonly yes', 'appendfsync always', 'repl-diskless-sync-delay 0'];
const keys = keyspace('t', { isCluster: false });

interface Bundle {
  jobs: Jobs;
  server: TestServer;
  client: RedisClient;
  admin: RedisClient;
  /** Clients that were opened to prove writes on. */
  opened: RedisClient[];
}

async function setup(t: TestContext, settings = MEMORY_ONLY, program?: string): Promise<Bundle> {
  const server = await testServer(t, { settings, program });
  const [client, admin] = [server.connect('request'), server.admin()];
  await Promise.all([untilReady(client, 5_000), untilReady(admin, 5_000)]);
  // What docs/security.md has beside the lines of the users, for a Redis without WAITAOF.
  await admin.call('ACL', 'SETUSER', PRODUCT_USER, '+config|get');
  const opened: RedisClient[] = [];
  const jobs = new Jobs({
    client,
    subscriber: server.connect('subscriber'),
    keys,
    openDurable: () => {
      const durable = server.connect('proof');
      opened.push(durable);
      return durable;
    },
  });
  t.onTestFinished(() => jobs.close());
  return { jobs, server, client, admin, opened };
}

/** A replica that is in step with the server. */
async function replicaOf(
  t: TestContext,
  { server, client }: Bundle,
  settings = MEMORY_ONLY,
  program?: string,
) {
  const replica = await testServer(t, {
    settings: [...settings, `replicaof 127.0.0.1 ${server.port}`],
    program,
  });
  await expect
    .poll(async () => await client.info('replication'), { timeout: 10_000 })
    .toContain('state=online');
  return replica;
}

/** As on a Redis before 7.2, also where the server has it. */
async function denyWaitaof(t: TestContext, admin: RedisClient): Promise<void> {
  const [known] = (await admin.call('COMMAND', 'INFO', 'waitaof')) as unknown[];
  if (!known) return;
  const line = guardedServer().find((each) => each.startsWith(`user ${PRODUCT_USER} `)) ?? '';
  const selectors = [...line.matchAll(/\([^)]*(?=\))/g)].map(([each]) => `${each} -waitaof)`);
  await admin.call('ACL', 'SETUSER', PRODUCT_USER, 'clearselectors', ...selectors);
  // It asks by doing, and is refused as it is meant to be here.
  t.onTestFinished(async () => void (await admin.call('ACL', 'LOG', 'RESET')));
}

describe('a queue', () => {
  it('asks for nothing beyond memory, and opens no connection for it', async (t) => {
    const { jobs, opened } = await setup(t);

    const one = await jobs.enqueue('q', { name: 'n' });
    const many = await jobs.enqueueMany('q', [{ name: 'n' }, { name: 'n' }]);
    const flow = await jobs.flows.add({ queue: 'q', name: 'n', children: [{ queue: 'q', name: 'c' }] });

    expect(one.durability).toBe('memory');
    expect(many.map((each) => each.ok && each.job.durability)).toEqual(['memory', 'memory']);
    expect([flow.durability, flow.children[0]?.durability]).toEqual(['memory', 'memory']);
    expect((await jobs.queue('q')).durability).toBe('memory');
    expect(opened).toEqual([]);
  });

  it('is refused a durability that Redis cannot prove now, with the way out, and keeps what it had', async (t) => {
    const { jobs } = await setup(t);

    const refused = async (durability: 'aof' | 'replica' | 'aof+replica') =>
      await jobs.setLimits('q', { durability, concurrency: 3 }).catch((error: unknown) => error);

    expect(await refused('aof')).toMatchObject({
      code: 'durability_refused',
      message: expect.stringContaining('set appendonly yes'),
    });
    expect(await refused('replica')).toMatchObject({
      code: 'durability_refused',
      message: expect.stringContaining('Connect a replica'),
    });
    expect(await refused('aof+replica')).toMatchObject({ code: 'durability_refused' });
    expect(await jobs.queue('q')).toMatchObject({ durability: 'memory', limits: { concurrency: null } });
  });

  it('loses its durability when it is taken away, for processes that knew it as well', async (t) => {
    const { jobs } = await setup(t, SYNCED_ALWAYS);
    await jobs.setLimits('q', { durability: 'aof' });
    const before = await jobs.enqueue('q', { name: 'n' });

    const { durability } = await jobs.setLimits('q', { durability: null });
    const after = await jobs.enqueue('q', { name: 'n' });

    expect([before.durability, durability, after.durability]).toEqual(['aof', 'memory', 'memory']);
  });
});

describe('durability aof', () => {
  it('is met by appendfsync always on a server without WAITAOF', async (t) => {
    const { jobs, admin } = await setup(t, SYNCED_ALWAYS);
    await denyWaitaof(t, admin);

    const view = await jobs.setLimits('q', { durability: 'aof' });
    const job = await jobs.enqueue('q', { name: 'n' });

    expect([view.durability, job.durability]).toEqual(['aof', 'aof']);
  });

  it('is refused where neither WAITAOF nor CONFIG tells', async (t) => {
    const { jobs, admin } = await setup(t, SYNCED_ALWAYS);
    await denyWaitaof(t, admin);
    await admin.call('ACL', 'SETUSER', PRODUCT_USER, '-config|get');

    await expect(jobs.setLimits('q', { durability: 'aof' })).rejects.toMatchObject({
      code: 'durability_refused',
      message: expect.stringContaining('Neither WAITAOF nor CONFIG GET tells'),
    });
  });

  it('is not claimed once the server syncs less often: nothing is written, or what was is named', async (t) => {
    const { jobs, admin } = await setup(t, SYNCED_ALWAYS);
    await denyWaitaof(t, admin);
    await jobs.setLimits('q', { durability: 'aof' });
    await jobs.enqueue('q', { name: 'n' });
    await admin.config('SET', 'appendfsync', 'everysec');

    const first = await jobs
      .enqueue('q', { name: 'n', idempotencyKey: 'k' })
      .catch((error: unknown) => error);

    expect(first).toMatchObject({
      code: 'durability_not_confirmed',
      message: expect.stringContaining('appendfsync is not always'),
      details: { outcome: 'unknown', durability: 'aof', queue: 'q', id: expect.stringMatching(/^j_/) },
    });
    await admin.config('SET', 'appendfsync', 'always');
    const again = await jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' });
    expect(again).toMatchObject({ created: false, durability: 'aof' });
    expect((first as { details: { id: string } }).details.id).toBe(again.id);
  });
});

describe('durability replica', () => {
  it('is met by one replica, and many callers share a WAIT', async (t) => {
    const bundle = await setup(t);
    const { jobs, client, admin, opened } = bundle;
    const replica = await replicaOf(t, bundle);
    await jobs.setLimits('q', { durability: 'replica' });
    await admin.config('RESETSTAT');

    const made = await Promise.all(Array.from({ length: 400 }, () => jobs.enqueue('q', { name: 'n' })));

    expect(new Set(made.map(({ durability }) => durability))).toEqual(new Set(['replica']));
    const waits = /cmdstat_wait:calls=(\d+)/.exec(await client.info('commandstats'))?.[1];
    expect(Number(waits)).toBeLessThan(20);
    expect(opened.length).toBeLessThanOrEqual(12);
    const reader = replica.admin();
    expect(await reader.llen(queueKeys(keys, 'q').wait)).toBe(400);
  });

  it('that is not met says so with the job, within the time of a request, and holds up nobody else', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const replica = await replicaOf(t, bundle);
    await jobs.setLimits('q', { durability: 'replica' });
    replica.pause();
    t.onTestFinished(() => replica.resume());

    const startedAt = performance.now();
    const writing = jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' }).catch((error: unknown) => error);
    const others = [];
    for (let index = 0; index < 20; index += 1) {
      const before = performance.now();
      await jobs.enqueue('other', { name: 'n' });
      others.push(performance.now() - before);
    }

    expect(Math.max(...others)).toBeLessThan(500);
    expect(await writing).toMatchObject({
      code: 'durability_not_confirmed',
      details: { outcome: 'unknown', durability: 'replica' },
    });
    expect(performance.now() - startedAt).toBeLessThan(1_800);
    await expect(jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'durability_not_confirmed',
    });
    replica.resume();
    await expect
      .poll(() => jobs.enqueue('q', { name: 'n', idempotencyKey: 'k' }).catch(() => undefined), {
        timeout: 10_000,
      })
      .toMatchObject({ created: false, durability: 'replica' });
    expect((await jobs.queue('q')).counts.waiting).toBe(1);
  });

  it('goes for batches item by item, and for a flow by what its queues ask for', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const replica = await replicaOf(t, bundle);
    await jobs.setLimits('q', { durability: 'replica' });

    const flow = await jobs.flows.add({ queue: 'plain', name: 'n', children: [{ queue: 'q', name: 'c' }] });
    replica.pause();
    t.onTestFinished(() => replica.resume());
    const items = await jobs.enqueueMany('q', [{ name: 'a' }, { name: 'b' }]);
    const unproven = jobs.flows.add({ queue: 'plain', name: 'n', children: [{ queue: 'q', name: 'c' }] });

    expect([flow.durability, flow.children[0]?.durability]).toEqual(['memory', 'replica']);
    expect(items).toMatchObject([
      { ok: false, error: { code: 'durability_not_confirmed' } },
      { ok: false, error: { code: 'durability_not_confirmed' } },
    ]);
    await expect(unproven).rejects.toMatchObject({
      code: 'durability_not_confirmed',
      details: { queue: 'plain' },
    });
  });

  it('survives the loss of the server: what was proven is at the replica', async (t) => {
    const bundle = await setup(t);
    const { jobs, server } = bundle;
    const replica = await replicaOf(t, bundle);
    await jobs.setLimits('q', { durability: 'replica' });
    const made: string[] = [];
    const writing = (async () => {
      for (;;) made.push((await jobs.enqueue('q', { name: 'n' })).id);
    })().catch(() => undefined);
    await expect.poll(() => made.length, { timeout: 10_000 }).toBeGreaterThan(50);

    await server.kill();
    await writing;

    const reader = replica.admin();
    const { base } = queueKeys(keys, 'q');
    const kept = await Promise.all(made.map((id) => reader.exists(base + id)));
    expect(kept.filter((each) => each === 0)).toEqual([]);
  });
});

describe.runIf(waitaofProgram())('on a server that has WAITAOF', () => {
  const EVERY_SECOND = ['appendonly yes', 'appendfsync everysec'];
  const program = () => waitaofProgram();

  it('aof is proven though the file is synced once a second, in less than a request has', async (t) => {
    const { jobs } = await setup(t, EVERY_SECOND, program());
    await jobs.setLimits('q', { durability: 'aof' });

    const times: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const burst = Array.from({ length: 40 }, async (_, index) => {
        await new Promise((resolve) => setTimeout(resolve, index * 10));
        const before = performance.now();
        const { durability } = await jobs.enqueue('q', { name: 'n' });
        times.push(performance.now() - before);
        return durability;
      });
      expect(new Set(await Promise.all(burst))).toEqual(new Set(['aof']));
    }

    expect(Math.max(...times)).toBeLessThan(1_800);
  });

  it('aof+replica asks for both disks', async (t) => {
    const bundle = await setup(t, SYNCED_ALWAYS, program());
    const { jobs } = bundle;
    const replica = await replicaOf(t, bundle, SYNCED_ALWAYS, program());
    // The file of a new replica begins with all that it was sent, and is done after the replica is.
    const operator = bundle.server.admin();
    await operator.set('operator', 'x');
    await expect
      .poll(async () => await operator.call('WAITAOF', 0, 1, 1_000), { timeout: 10_000 })
      .toEqual([1, 1]);

    await jobs.setLimits('q', { durability: 'aof+replica' });
    const job = await jobs.enqueue('q', { name: 'n' });
    await replica.admin().config('SET', 'appendonly', 'no');
    const lacking = jobs.enqueue('q', { name: 'n' });

    expect(job.durability).toBe('aof+replica');
    await expect(lacking).rejects.toMatchObject({
      code: 'durability_not_confirmed',
      message: expect.stringContaining("it was on no replica's disk"),
    });
  });

  it('a file that is switched off is noticed before the next job is written', async (t) => {
    const { jobs, admin } = await setup(t, SYNCED_ALWAYS, program());
    await jobs.setLimits('q', { durability: 'aof' });
    await jobs.enqueue('q', { name: 'n' });
    await admin.config('SET', 'appendonly', 'no');

    await expect(jobs.enqueue('q', { name: 'n' })).rejects.toMatchObject({
      code: 'durability_not_confirmed',
    });
    await expect(jobs.enqueue('q', { name: 'n' })).rejects.toMatchObject({
      code: 'durability_unavailable',
      details: { outcome: 'not_attempted' },
      message: expect.stringContaining('set appendonly yes'),
    });
    expect((await jobs.queue('q')).counts.waiting).toBe(2);
  });
});
