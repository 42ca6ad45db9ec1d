import { describe, expect, type TestContext, test } from 'vitest';
import { close, connect, type RedisClient, untilReady } from '../src/connect.ts';
import { writeProven } from '../src/proof.ts';
import { ADMIN_PASSWORD, PRODUCT_USER, type TestServer, testCluster } from '../src/testing.ts';

/** Slot 3300: the first master's. */
const SLOT = 3_300;
const [THERE, MISSING] = ['{b}:there', '{b}:missing'];
const SET_BOTH = "redis.call('SET', KEYS[1], 'x') redis.call('SET', KEYS[2], 'x') return 'both'";
const SETTINGS = ['appendonly yes', 'appendfsync always', 'cluster-require-full-coverage no'];

async function proving(t: TestContext, config: Parameters<typeof connect>[0]['config']) {
  const client = connect({ config, profile: 'proof', name: 'test' });
  t.onTestFinished(() => close(client, 100));
  await untilReady(client, 5_000);
  return client;
}

function writeBoth(client: RedisClient, timeoutMs: number) {
  return writeProven(client, {
    ...{ key: THERE, proofs: ['aof'], timeoutMs },
    write: (pipeline) => void pipeline.eval(SET_BOTH, 2, THERE, MISSING),
  });
}

const idOf = async (node: RedisClient) => String(await node.call('CLUSTER', 'MYID'));

/** Where there is no WAITAOF, the file is asked for by CONFIG GET: docs/security.md. */
async function operators(masters: readonly TestServer[]): Promise<RedisClient[]> {
  const nodes = masters.map((server) => server.admin());
  for (const node of nodes) await node.call('ACL', 'SETUSER', PRODUCT_USER, '+config|get');
  return nodes;
}

/** The slot is the `to` node's, in the eyes of all. */
async function give(nodes: readonly RedisClient[], to: RedisClient): Promise<void> {
  const id = await idOf(to);
  for (const node of [to, ...nodes]) await node.call('CLUSTER', 'SETSLOT', SLOT, 'NODE', id);
}

/** One of two keys is on the first node, and the slot on its way to the second. */
async function begin(masters: readonly TestServer[]) {
  const nodes = await operators(masters);
  const [first, second] = nodes as [RedisClient, RedisClient];
  await first.set(THERE, 'before');
  await second.call('CLUSTER', 'SETSLOT', SLOT, 'IMPORTING', await idOf(first));
  await first.call('CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', await idOf(second));
  const refusals = async () => {
    const stats = String(await first.call('INFO', 'errorstats'));
    return Number(/errorstat_TRYAGAIN:count=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  return { nodes, first, second, refusals };
}

describe('a write that is to be proven in a Cluster', () => {
  test('waits for a slot on its way, and is made once where it arrives', async (t) => {
    const { config, masters } = await testCluster(t, { isAnyKey: true, settings: SETTINGS });
    const client = await proving(t, config);
    const { nodes, first, second, refusals } = await begin(masters);

    const writing = writeBoth(client, 5_000);
    await expect.poll(refusals, { timeout: 4_000 }).toBeGreaterThan(1);
    await first.call(
      'MIGRATE',
      '127.0.0.1',
      masters[1]?.port as number,
      THERE,
      0,
      1_000,
      'AUTH',
      ADMIN_PASSWORD,
    );
    await give(nodes, second);

    expect(await writing).toEqual({ kind: 'written', replies: [[null, 'both']], shortfall: undefined });
    expect(await second.mget(THERE, MISSING)).toEqual(['x', 'x']);
  });

  test('is refused in time when the slot does not arrive, and was not made', async (t) => {
    const { config, masters } = await testCluster(t, { isAnyKey: true, settings: SETTINGS });
    const client = await proving(t, config);
    const { first } = await begin(masters);

    const startedAt = performance.now();
    const written = await writeBoth(client, 500);

    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(written).toMatchObject({
      kind: 'written',
      replies: [[expect.objectContaining({ message: expect.stringContaining('TRYAGAIN') })]],
    });
    expect(await first.get(THERE)).toBe('before');
  });

  test('follows its slot to a node that had none before', async (t) => {
    const { config, masters } = await testCluster(t, { isAnyKey: true, settings: SETTINGS });
    const nodes = await operators(masters);
    const [first, second, third] = nodes as [RedisClient, RedisClient, RedisClient];
    await third.call('CLUSTER', 'DELSLOTSRANGE', 10_922, 16_383);
    const withSlots = async (node: RedisClient) => {
      const slots = (await node.call('CLUSTER', 'SLOTS')) as unknown[];
      if (slots.length > 2) await node.call('CLUSTER', 'DELSLOTSRANGE', 10_922, 16_383);
      return slots.length;
    };
    for (const node of [first, second]) await expect.poll(() => withSlots(node), { timeout: 5_000 }).toBe(2);
    const client = await proving(t, config);
    await writeBoth(client, 1_000);
    await first.unlink(THERE, MISSING);

    await give(nodes, third);
    const written = await writeBoth(client, 1_500);

    expect(written).toEqual({ kind: 'written', replies: [[null, 'both']], shortfall: undefined });
    expect(await third.mget(THERE, MISSING)).toEqual(['x', 'x']);
  });
});
