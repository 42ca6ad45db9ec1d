import { type RedisConfig, Secret } from '@sluice/config';
import { describe, expect, type TestContext, test } from 'vitest';
import { close, connect, type Profile, untilReady } from '../src/connect.ts';
import { redisFault } from '../src/fault.ts';
import { health } from '../src/health.ts';
import { scanKeys, unlinkByPrefix } from '../src/scan.ts';
import { PRODUCT_USER, testCluster, testSentinel } from '../src/testing.ts';

async function ready(t: TestContext, config: RedisConfig, profile: Profile) {
  const client = connect({ config, profile, name: 'test' });
  t.onTestFinished(() => close(client, 100));
  await untilReady(client, 5_000);
  return client;
}

describe('a Cluster', () => {
  test('is walked on every master and emptied by prefix', async (t) => {
    const { config } = await testCluster(t, { isAnyKey: true });
    const client = await ready(t, config, 'request');
    const ours = Array.from({ length: 300 }, (_, index) => `ours:${index}`);
    await Promise.all([...ours, 'ourselves', 'theirs:1'].map((key) => client.set(key, 'x')));

    const found: string[] = [];
    for await (const page of scanKeys(client, 'ours:')) found.push(...page);
    const removed = await unlinkByPrefix(client, 'ours:', (key) => key === 'ours:7');

    expect([...new Set(found)].sort()).toEqual([...ours].sort());
    expect(removed).toBe(299);
    expect(
      await Promise.all(['ours:7', 'ours:8', 'ourselves', 'theirs:1'].map((key) => client.get(key))),
    ).toEqual(['x', null, 'x', 'x']);
    expect(await health(client)).toMatchObject({ isUp: true });
  });

  test('that loses a master refuses its slots in time and serves the others', async (t) => {
    const { config, servers } = await testCluster(t, { isAnyKey: true });
    const client = await ready(t, config, 'request');
    await Promise.all(
      servers.map((server) => server.admin().call('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')),
    );
    // Slots 15495, 3300 and 7365: the third master's, the first's, the second's.
    await Promise.all(['a', 'b', 'c'].map((key) => client.set(key, 'x')));

    await servers[2]?.kill();

    for (let turn = 0; turn < 20; turn += 1) {
      const startedAt = performance.now();
      const lost = await client.get('a').catch((error: unknown) => redisFault(error));
      expect(lost).toMatchObject({ kind: 'unavailable' });
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
    await expect
      .poll(() => Promise.all([client.get('b'), client.get('c')]).catch(() => 'refused'), { timeout: 5_000 })
      .toEqual(['x', 'x']);
  });

  test('is entered at once by each of many clients', { timeout: 60_000 }, async (t) => {
    const { config } = await testCluster(t, { isAnyKey: true });

    for (let turn = 0; turn < 300; turn += 1) {
      const client = connect({ config, profile: 'request', name: 'test' });
      const startedAt = performance.now();
      await untilReady(client, 5_000);
      const tookMs = performance.now() - startedAt;
      await close(client, 100);
      // One that is closed and made anew while it connects takes 700 at least.
      expect(tookMs).toBeLessThan(650);
    }
  });
});

describe('a Cluster that a node has left', () => {
  test('is asked anew where its slots are, when that node still answers', { timeout: 30_000 }, async (t) => {
    const { config, masters } = await testCluster(t, { isAnyKey: true });
    const client = await ready(t, config, 'request');
    // Slot 15495: the third master's.
    await client.set('a', 'x');
    await client.del('a');
    const [first, second, third] = masters.map((server) => server.admin());
    const id = String(await third?.call('CLUSTER', 'MYID'));

    for (const node of [first, second]) await node?.call('CLUSTER', 'FORGET', id);
    await third?.call('CLUSTER', 'RESET', 'SOFT');
    await first?.call('CLUSTER', 'ADDSLOTSRANGE', 10_922, 16_383);

    await expect
      .poll(() => client.set('a', 'y').catch((error: Error) => error.message), { timeout: 10_000 })
      .toBe('OK');
  });
});

describe('the health of a Cluster', () => {
  test('is up while one of its masters answers, and down when none does', { timeout: 30_000 }, async (t) => {
    const { config, servers } = await testCluster(t, { isAnyKey: true });
    const client = await ready(t, config, 'request');
    const answers = () => Promise.all(Array.from({ length: 10 }, () => health(client, 300)));
    const [first, ...others] = servers;

    first?.pause();
    const inPart = await answers();
    for (const server of others) server.pause();
    const without = await answers();
    for (const server of servers) server.resume();

    expect(inPart).toEqual(Array(10).fill({ isUp: true, latencyMs: expect.any(Number) }));
    expect(without).toEqual(Array(10).fill({ isUp: false, kind: 'unavailable' }));
  });
});

describe('a Cluster with replicas', () => {
  test('keeps the commands of a worker through a failover, and serves the others meanwhile', {
    timeout: 40_000,
  }, async (t) => {
    const settings = ['cluster-require-full-coverage no'];
    const { config, masters, replicas } = await testCluster(t, { isAnyKey: true, replicas: 1, settings });
    const [request, worker] = [await ready(t, config, 'request'), await ready(t, config, 'worker')];
    // Slots 15495 and 3300: the third master's, and the first's.
    await worker.set('a', 'before');
    await expect.poll(() => replicas[2]?.admin().dbsize()).toBe(1);

    await masters[2]?.kill();
    const kept = worker.append('a', ' and after');
    const others = await Promise.all(
      Array.from({ length: 20 }, () => request.set('b', 'x').catch((error: Error) => error.message)),
    );

    expect(await kept).toBe('before and after'.length);
    expect(others).toEqual(Array(20).fill('OK'));
    await expect
      .poll(() => request.get('a').catch(() => 'refused'), { timeout: 5_000 })
      .toBe('before and after');
  });

  test('is served when a replica is away', { timeout: 40_000 }, async (t) => {
    const { config, replicas } = await testCluster(t, { isAnyKey: true, replicas: 1 });
    await replicas[0]?.kill();

    const client = await ready(t, config, 'request');

    expect(await client.set('b', 'x')).toBe('OK');
  });
});

describe('a Sentinel', () => {
  test('leads both profiles to the new master', { timeout: 30_000 }, async (t) => {
    const { config, master, replica } = await testSentinel(t, { isAnyKey: true });
    const [request, worker] = [await ready(t, config, 'request'), await ready(t, config, 'worker')];
    await worker.set('key', 'before');
    await expect.poll(() => replica.admin().get('key'), { timeout: 5_000 }).toBe('before');

    await master.kill();
    const kept = worker.set('key', 'during');

    expect(await kept).toBe('OK');
    await expect
      .poll(() => request.set('key', 'after').catch(() => 'refused'), { timeout: 10_000 })
      .toBe('OK');
    expect(await replica.admin().get('key')).toBe('after');
  });

  test('leads away from a master that has fallen silent', { timeout: 30_000 }, async (t) => {
    const { config, master } = await testSentinel(t, { isAnyKey: true });
    const client = await ready(t, config, 'request');
    expect(await client.set('key', 'before')).toBe('OK');

    master.pause();

    const write = () => client.set('key', 'after').catch(() => 'refused');
    await expect.poll(write, { timeout: 20_000 }).toBe('OK');
  });

  test('that asks for a password of its own is given it', async (t) => {
    const { config, sentinel } = await testSentinel(t, { isAnyKey: true });
    await sentinel.admin().call('ACL', 'SETUSER', PRODUCT_USER, 'resetpass', '>of-the-sentinel');

    const client = await ready(t, { ...config, sentinelPassword: new Secret('of-the-sentinel') }, 'request');

    expect(await client.set('key', 'x')).toBe('OK');
  });

  test('that is silent is passed over for one that answers', async (t) => {
    const { config, sentinel } = await testSentinel(t, { isAnyKey: true });
    const other = await testSentinel(t, { isAnyKey: true });
    sentinel.pause();
    t.onTestFinished(() => sentinel.resume());

    const sentinels = [...config.sentinels, ...other.config.sentinels];
    const client = await ready(t, { ...other.config, sentinels }, 'request');

    expect(await client.set('key', 'x')).toBe('OK');
  });
});
