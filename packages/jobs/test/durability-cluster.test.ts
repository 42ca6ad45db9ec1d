import { keyspace } from '@sluice/config';
import { connect, type RedisClient, untilReady } from '@sluice/redis';
import { PRODUCT_USER, type TestServer, testCluster } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { queueKeys } from '../src/keys.ts';
import type { TestContext } from './setup.ts';

const keys = keyspace('t', { isCluster: true });

async function setup(t: TestContext, { replicas = 0 }: { replicas?: 0 | 1 } = {}) {
  const cluster = await testCluster(t, { replicas, settings: ['cluster-require-full-coverage no'] });
  const { config, servers } = cluster;
  // Where there is no WAITAOF, the file is asked for by CONFIG GET: docs/security.md.
  for (const server of servers) await server.admin().call('ACL', 'SETUSER', PRODUCT_USER, '+config|get');
  const opened: RedisClient[] = [];
  const open = (profile: 'proof' | 'subscriber') => {
    const client = connect({ config, profile, name: 'test' });
    opened.push(client);
    return client;
  };
  const client = open('proof');
  await untilReady(client, 10_000);
  const jobs = new Jobs({
    ...{ client, subscriber: open('subscriber'), keys },
    openDurable: () => open('proof'),
  });
  t.onTestFinished(async () => {
    await jobs.close();
    for (const each of opened) each.disconnect();
  });
  return { ...cluster, jobs };
}

/** A queue whose slot this node of three has: the first third of the slots is the first's. */
async function queueOn(
  servers: readonly TestServer[],
  node: number,
): Promise<{ queue: string; slot: number }> {
  const asked = servers[0]?.admin();
  for (let index = 0; ; index += 1) {
    const queue = `q${index}`;
    const slot = Number(await asked?.call('CLUSTER', 'KEYSLOT', queueKeys(keys, queue).id));
    if (Math.floor((slot * 3) / 16_384) === node) return { queue, slot };
  }
}

it('in a Cluster the node of the slot proves the write, and is followed when the slot moves', async (t) => {
  const { jobs, servers } = await setup(t);
  const [first, second] = servers.map((server) => server.admin()) as [RedisClient, RedisClient];
  await first.config('SET', 'appendfsync', 'always');
  await first.config('SET', 'appendonly', 'yes');
  const here = await queueOn(servers, 0);
  const elsewhere = await queueOn(servers, 1);

  await jobs.setLimits(here.queue, { durability: 'aof' });
  const refused = await jobs
    .setLimits(elsewhere.queue, { durability: 'aof' })
    .catch((error: unknown) => error);

  expect((await jobs.enqueue(here.queue, { name: 'n' })).durability).toBe('aof');
  expect(refused).toMatchObject({
    code: 'durability_refused',
    message: expect.stringContaining('set appendonly yes'),
  });

  const moved = String(await second.call('CLUSTER', 'MYID'));
  await second.config('SET', 'appendfsync', 'always');
  await second.config('SET', 'appendonly', 'yes');
  await first.unlink(...((await first.call('CLUSTER', 'GETKEYSINSLOT', here.slot, 100)) as string[]));
  for (const server of servers) await server.admin().call('CLUSTER', 'SETSLOT', here.slot, 'NODE', moved);
  const { base, meta } = queueKeys(keys, here.queue);
  await second.hset(meta, 'sluice.durability', 'aof');

  const job = await jobs.enqueue(here.queue, { name: 'n' });

  expect(job.durability).toBe('aof');
  expect(await second.exists(base + job.id)).toBe(1);
});

it('in a Cluster a master without its replica holds up no writes to the others', async (t) => {
  const { jobs, servers, replicas } = await setup(t, { replicas: 1 });
  const [alone, whole] = [await queueOn(servers, 0), await queueOn(servers, 1)];
  for (const { queue } of [alone, whole]) await jobs.setLimits(queue, { durability: 'replica' });
  await jobs.enqueue(whole.queue, { name: 'n' });
  replicas[0]?.pause();
  t.onTestFinished(() => replicas[0]?.resume());

  let isOver = false;
  const waits = Array.from({ length: 8 }, async () => {
    const error = await jobs.enqueue(alone.queue, { name: 'n' }).catch((each: unknown) => each);
    isOver = true;
    return error;
  });
  const took: number[] = [];
  while (!isOver) {
    const startedAt = performance.now();
    const { durability } = await jobs.enqueue(whole.queue, { name: 'n' });
    expect(durability).toBe('replica');
    took.push(performance.now() - startedAt);
  }

  const codes = (await Promise.all(waits)).map((error) => (error as { code?: unknown }).code);
  expect(codes).toEqual(Array.from({ length: 8 }, () => 'durability_not_confirmed'));
  // One every 250 ms is what is left where both masters share a lane. One may be a pause of the machine's.
  expect(took.filter((ms) => ms > 200).length).toBeLessThan(2);
});
