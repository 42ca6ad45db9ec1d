import { keyspace } from '@sluice/config';
import { connect, type RedisClient, untilReady } from '@sluice/redis';
import { PRODUCT_USER, type TestServer, testCluster } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { queueKeys } from '../src/keys.ts';
import type { TestContext } from './setup.ts';

const keys = keyspace('t', { isCluster: true });

async function setup(t: TestContext) {
  const { config, servers } = await testCluster(t);
  // Where there is no WAITAOF, the file is asked for by CONFIG GET: docs/security.md.
  for (const server of servers) await server.admin().call('ACL', 'SETUSER', PRODUCT_USER, '+config|get');
  const open = () => connect({ config, profile: 'proof', name: 'test' });
  const [client, durable] = [open(), open()];
  await Promise.all([client, durable].map((each) => untilReady(each, 10_000)));
  const subscriber = connect({ config, profile: 'subscriber', name: 'test' });
  const jobs = new Jobs({ client, subscriber, keys, openDurable: () => durable });
  t.onTestFinished(async () => {
    await jobs.close();
    for (const each of [client, durable, subscriber]) each.disconnect();
  });
  return { jobs, servers, client };
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
