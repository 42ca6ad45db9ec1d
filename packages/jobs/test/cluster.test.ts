import { keyspace } from '@sluice/config';
import { close, connect, type Profile, untilReady } from '@sluice/redis';
import { testCluster } from '@sluice/redis/testing';
import { Worker } from 'bullmq';
import { describe, expect, it, vi } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import type { TestContext } from './setup.ts';

const keys = keyspace('t', { isCluster: true });

/** Jobs on three masters: a command whose keys lie in two slots is refused. */
async function clusterJobs(
  t: TestContext,
): Promise<{ jobs: Jobs; open: (profile: Profile) => ReturnType<typeof connect> }> {
  const { config } = await testCluster(t);
  const open = (profile: Profile) => {
    const client = connect({ config, profile, name: 'cluster-test' });
    t.onTestFinished(() => close(client));
    return client;
  };
  const client = open('request');
  await untilReady(client, 10_000);
  const jobs = new Jobs({ client, subscriber: open('subscriber'), keys });
  t.onTestFinished(() => jobs.close());
  return { jobs, open };
}

describe('in a Cluster', () => {
  it('every call stays in the slot of its queue', { timeout: 30_000 }, async (t) => {
    const { jobs, open } = await clusterJobs(t);
    const batch = [
      { name: 'plain', idempotencyKey: 'k' },
      { name: 'plain', idempotencyKey: 'k' },
      { name: 'late', opts: { delay: 60_000 } },
      { name: 'urgent', opts: { priority: 1 } },
      { name: 'first', opts: { lifo: true } },
      { name: 'once', opts: { deduplication: { id: 'd' } } },
      { name: 'once', opts: { deduplication: { id: 'd' } } },
      { name: 'bounce', opts: { deduplication: { id: 'b', ttl: 60_000, mode: 'debounce' as const } } },
      { name: 'bounce', opts: { deduplication: { id: 'b', ttl: 60_000, mode: 'debounce' as const } } },
    ];

    const results = await Promise.all(['a', 'b', 'c'].map((queue) => jobs.enqueueMany(queue, batch)));

    for (const each of results.flat()) expect(each).toMatchObject({ ok: true });
    expect(
      (await jobs.queues()).map(({ name, counts }) => [
        name,
        counts.waiting,
        counts.delayed,
        counts.prioritized,
      ]),
    ).toEqual([
      ['a', 3, 2, 1],
      ['b', 3, 2, 1],
      ['c', 3, 2, 1],
    ]);
    const { jobs: delayed } = await jobs.list('a', { state: 'delayed' });
    const [late] = delayed.filter(({ name }) => name === 'late');
    expect((await jobs.update('a', late?.id as string, { delay: 1_000, data: 1 })).state).toBe('delayed');
    expect((await jobs.promote('a', late?.id as string)).state).toBe('waiting');
    expect(await jobs.cancel('a', late?.id as string)).toEqual({ kind: 'removed' });
    expect((await jobs.search('a', { state: 'waiting', name: 'plain' })).jobs).toHaveLength(1);
    await jobs.schedulers.upsert('a', 's', { cron: '0 0 * * *' }, { name: 'n' });
    await jobs.setLimits('a', { concurrency: 2 });
    expect((await jobs.pause('a')).isPaused).toBe(true);
    expect((await jobs.resume('a')).isPaused).toBe(false);
    expect(await jobs.drain('a')).toMatchObject({ next: null });

    const worker = new Worker('b', async ({ name }) => name, {
      connection: open('worker'),
      prefix: keys.queuePrefix('b'),
    });
    worker.on('error', () => undefined);
    t.onTestFinished(() => worker.close(true));
    const { id } = await jobs.enqueue('b', { name: 'seen' });
    expect(await jobs.waitForResult('b', id, { timeoutMs: 10_000 })).toMatchObject({
      kind: 'completed',
      result: { text: '"seen"' },
    });
    await vi.waitFor(
      async () => expect((await jobs.queue('b')).counts.completed).toBeGreaterThanOrEqual(5),
      10_000,
    );
    for (const queue of ['a', 'b', 'c'])
      expect((await jobs.obliterate(queue, { force: true })).next).toBeNull();
    expect(await jobs.queues()).toEqual([]);
  });

  it('keeps a flow in one queue', { timeout: 30_000 }, async (t) => {
    const { jobs } = await clusterJobs(t);
    const child = { queue: 'a', name: 'child' };

    const added = await jobs.flows.add({ queue: 'a', name: 'parent', children: [child] });

    expect((await jobs.flows.get('a', added.id)).children).toHaveLength(1);
    const across = jobs.flows.add({ queue: 'b', name: 'parent', children: [child] });
    await expect(across).rejects.toMatchObject({ code: 'flow_spans_slots' });
  });
});
