import { join } from 'node:path';
import { keyspace } from '@sluice/config';
import type { Redis } from '@sluice/redis';
import { ADMIN_PASSWORD, type TestCluster, type TestServer, testCluster } from '@sluice/redis/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpGuide, type Replay, ROOT, replay } from './document.ts';
import { Program } from './product.ts';
import { answerOf, clusterVariables, doctor, Traffic, uncompleted } from './topology.ts';
import { topologySuite } from './topology-suite.ts';

const LONG = { timeout: 60_000 };
const QUEUES = Array.from({ length: 8 }, (_, at) => `spread-${at}`);
const keys = keyspace('dreamfactory', { isCluster: true });
const cleanUps: (() => Promise<void> | void)[] = [];
let redis: TestCluster;
let replayed: Replay;
let masters: Redis[];

beforeAll(async () => {
  const t = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
  redis = await testCluster(t, { replicas: 1, settings: ['cluster-require-full-coverage no'] });
  masters = redis.masters.map((server) => server.admin() as Redis);
  replayed = await replay(t, await httpGuide(), clusterVariables(redis));
}, 120_000);

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

const slotOf = async (queue: string) =>
  Number(await masters[0]?.cluster('KEYSLOT', `${keys.queuePrefix(queue)}:${queue}:meta`));

/** Which master a queue is on, as long as none has moved. */
const masterOf = async (queue: string) => Math.floor(((await slotOf(queue)) * 3) / 16_384);

/** How many keys that match lie on each master. */
async function spread(pattern: string): Promise<number[]> {
  return await Promise.all(
    masters.map(async (master) => {
      const found = new Set<string>();
      for await (const page of master.scanStream({ match: pattern, count: 1_000 }))
        for (const key of page as string[]) found.add(key);
      return found.size;
    }),
  );
}

describe('on a Cluster of three masters with replicas', () => {
  topologySuite(() => replayed);

  it('spreads queues over the masters, each on one', LONG, async () => {
    const { product } = replayed;

    const ends = await Promise.all(
      QUEUES.map((queue) =>
        answerOf<{ state: string }>(
          product.call(`/queues/${queue}/jobs?wait=20`, {
            method: 'POST',
            json: { name: 'example.echo', data: {} },
          }),
        ),
      ),
    );

    expect(ends.map(({ state }) => state)).toEqual(QUEUES.map(() => 'completed'));
    const homes = await Promise.all(QUEUES.map((queue) => spread(`${keys.queuePrefix(queue)}:*`)));
    expect(homes.map((counts) => counts.filter((count) => count > 0).length)).toEqual(QUEUES.map(() => 1));
    const used = new Set(homes.map((counts) => counts.findIndex((count) => count > 0)));
    expect(used.size).toBeGreaterThan(1);
  });

  it('writes, reads, lists, purges and flushes a cache whose keys lie on all masters', LONG, async () => {
    const { product } = replayed;
    const names = Array.from({ length: 300 }, (_, at) => `many:${at}`);
    const read = () =>
      answerOf<{ resource: { key: string; value?: unknown; exists?: false }[] }>(
        product.call('/redis/_ops/mget', {
          method: 'POST',
          json: { resource: names.map((key) => ({ key })) },
        }),
      );

    const stored = await product.call('/redis', {
      method: 'POST',
      json: { resource: names.map((key, at) => ({ key, value: at, tags: at < 100 ? ['early'] : [] })) },
    });

    expect(stored.status).toBe(201);
    expect(Math.min(...(await spread('dreamfactory:cache:redis:many:*')))).toBeGreaterThan(0);
    expect((await read()).resource.map(({ value }) => value)).toEqual(names.map((_, at) => at));
    const listed = await answerOf<{ resource: string[] }>(
      product.call('/redis?prefix=many:&limit=1000&as_list=true'),
    );
    expect(listed.resource.toSorted()).toEqual(names.toSorted());
    const tags = { method: 'POST', json: { tags: ['early'] } };
    expect(await answerOf(product.call('/redis/_ops/purge-tags', tags))).toMatchObject({ purged: 1 });
    expect((await read()).resource.filter(({ exists }) => exists === false).length).toBe(100);
    const flushed = await answerOf<{ deleted: number }>(
      product.call('/redis?prefix=many:', { method: 'DELETE' }),
    );
    expect(flushed.deleted).toBe(300);
    expect(await spread('dreamfactory:cache:redis:many:*')).toEqual([0, 0, 0]);
  });

  it('refuses a flow over several queues, and says why', LONG, async () => {
    const child = { queue: 'spread-1', name: 'example.echo', data: {} };
    const flow = { queue: 'spread-0', name: 'example.echo', data: {}, children: [child] };

    const refused = await replayed.product.call('/flows', { method: 'POST', json: flow });

    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      {
        error: {
          context: { reason: 'flow_spans_slots' },
          message: 'queues spread-0, spread-1 lie in different slots of the Cluster',
        },
      },
    ]);
  });

  it('is examined by `sluice doctor`, master by master', LONG, async () => {
    const { findings } = await doctor(clusterVariables(redis), replayed.product);

    const own = findings.filter(({ id }) => id.startsWith('cluster.') || id.startsWith('commands.'));
    expect(own.length).toBeGreaterThan(5);
    expect(own.filter(({ severity }) => severity !== 'ok')).toEqual([]);
  });

  it.each(['api', 'worker'])('has one database: the %s does not start with another', LONG, async (app) => {
    const env = { PATH: process.env.PATH, ...clusterVariables(redis), REDIS_DATABASE: '3', PORT: '0' };

    const program = new Program(process.execPath, [join(ROOT, `apps/${app}/dist/main.js`)], env, ROOT);

    expect(await program.exited).toBe(1);
    expect(program.output).toContain('REDIS_DATABASE');
    expect(program.output).toContain('0, the only database of a Redis Cluster');
  });

  it(
    'moves the slot of a queue to another master under traffic, and loses none of its jobs',
    LONG,
    async (t) => {
      const { product } = replayed;
      const queue = QUEUES[0] as string;
      const from = await masterOf(queue);
      const to = (from + 1) % 3;
      const traffic = new Traffic(product, [queue]);
      t.onTestFinished(() => traffic.stop());
      await expect.poll(() => traffic.acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(20);

      await moveSlot(await slotOf(queue), redis.masters[from] as TestServer, redis.masters[to] as TestServer);

      const movedAt = performance.now();
      const since = () => traffic.acknowledged.filter(({ at }) => at > movedAt).length;
      await expect.poll(since, { timeout: 10_000 }).toBeGreaterThan(20);
      await traffic.stop();
      await expect
        .poll(() => uncompleted(product, traffic.acknowledged), { timeout: 30_000, interval: 500 })
        .toEqual([]);
      const odd = traffic.answers.filter(({ status, ms }) => ![200, 201, 503].includes(status) || ms > 2_000);
      expect(odd).toEqual([]);
      expect((await spread(`${keys.queuePrefix(queue)}:*`))[to]).toBeGreaterThan(20);
    },
  );

  it('goes on by itself when a master is killed, and serves the others meanwhile', {
    timeout: 90_000,
  }, async (t) => {
    const { product } = replayed;
    // The second master: the first one's slot has moved to it or away from it.
    const victim = 2;
    const homes = await Promise.all(
      QUEUES.slice(1).map(async (queue) => ({ queue, home: await masterOf(queue) })),
    );
    const there = homes.filter(({ home }) => home === victim).map(({ queue }) => queue);
    const elsewhere = homes.filter(({ home }) => home !== victim).map(({ queue }) => queue);
    const traffic = new Traffic(product, [...there, ...elsewhere]);
    t.onTestFinished(() => traffic.stop());
    await expect.poll(() => traffic.acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(40);
    const before = [...traffic.acknowledged];
    expect(await masters[victim]?.wait(1, 5_000)).toBe(1);

    await redis.masters[victim]?.kill();
    const killedAt = performance.now();

    const isBack = (answer: { queue: string; at: number }) =>
      there.includes(answer.queue) && answer.at > killedAt + 500;
    await expect
      .poll(() => traffic.acknowledged.filter(isBack).length, { timeout: 30_000 })
      .toBeGreaterThan(5);
    await traffic.stop();
    await expect.poll(() => uncompleted(product, before), { timeout: 30_000, interval: 500 }).toEqual([]);
    const others = traffic.answers.filter(({ queue }) => elsewhere.includes(queue));
    expect(others.filter(({ status }) => status > 201)).toEqual([]);
    const odd = traffic.answers.filter(({ status, ms }) => ![200, 201, 503].includes(status) || ms > 2_000);
    expect(odd).toEqual([]);
    expect([product.api.isRunning, product.worker.isRunning]).toEqual([true, true]);
  });
});

/** As `redis-cli --cluster reshard` does it. */
async function moveSlot(slot: number, from: TestServer, to: TestServer): Promise<void> {
  const [source, target] = [from.admin() as Redis, to.admin() as Redis];
  const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')];
  await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
  await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);
  for (;;) {
    const found = await source.cluster('GETKEYSINSLOT', slot, 10);
    if (found.length === 0) break;
    await source.call(
      'MIGRATE',
      '127.0.0.1',
      to.port,
      '',
      0,
      5_000,
      'AUTH',
      ADMIN_PASSWORD,
      'KEYS',
      ...found,
    );
  }
  await target.cluster('SETSLOT', slot, 'NODE', targetId);
  await source.cluster('SETSLOT', slot, 'NODE', targetId);
}
