import { expect, test, vi } from 'vitest';
import { reserve } from '../src/backlog.ts';
import { queueKeys } from '../src/keys.ts';
import { setup } from './setup.ts';

const SHOP = { backlog: { owner: 'shop', max: 10 } };
const job = { name: 'send' };
const tooMany = { code: 'quota_backlog_exceeded', details: { max_backlog: 10, queue: 'mail' } };

test('a backlog is never exceeded, however many put jobs at the same time', async (t) => {
  const { jobs } = await setup(t);

  const results = await Promise.allSettled(
    Array.from({ length: 100 }, (_, i) =>
      jobs.enqueue('mail', { ...job, opts: i % 2 ? { delay: 60_000 } : { priority: 3 } }, SHOP),
    ),
  );

  const { waiting, delayed, prioritized } = (await jobs.queue('mail')).counts;
  expect(waiting + delayed + prioritized).toBe(10);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject(tooMany);
});

test('counts by owner and by queue, and nobody without a bound', async (t) => {
  const { jobs } = await setup(t);
  const one = { backlog: { owner: 'shop', max: 1 } };
  await jobs.enqueue('mail', job, one);

  await expect(jobs.enqueue('mail', job, one)).rejects.toMatchObject({ code: 'quota_backlog_exceeded' });
  await jobs.enqueue('sms', job, one);
  await jobs.enqueue('mail', job, { backlog: { owner: 'other', max: 1 } });
  await jobs.enqueue('mail', job);

  expect((await jobs.queue('mail')).counts.waiting).toBe(3);
});

test('a batch goes in whole or not at all', async (t) => {
  const { jobs } = await setup(t);
  await jobs.enqueueMany('mail', Array(8).fill(job), SHOP);

  await expect(jobs.enqueueMany('mail', Array(3).fill(job), SHOP)).rejects.toMatchObject(tooMany);
  await expect(jobs.enqueueMany('mail', Array(11).fill(job), SHOP)).rejects.toMatchObject(tooMany);
  const results = await jobs.enqueueMany('mail', Array(2).fill(job), SHOP);

  expect(results.map(({ ok }) => ok)).toEqual([true, true]);
  expect((await jobs.queue('mail')).counts.waiting).toBe(10);
});

test('a flow takes room in each of its queues', async (t) => {
  const { jobs } = await setup(t);
  const one = { backlog: { owner: 'shop', max: 1 } };
  await jobs.enqueue('sms', job, one);

  const flow = { queue: 'mail', ...job, children: [{ queue: 'sms', ...job }] };
  await expect(jobs.flows.add(flow, one)).rejects.toMatchObject({ details: { queue: 'sms' } });

  expect((await jobs.queue('sms')).counts.waiting).toBe(1);
  await jobs.flows.add(flow);
});

test('what has been begun, or removed, has left it', async (t) => {
  const { jobs, bullWorker, redis } = await setup(t);
  const put = await jobs.enqueueMany('mail', Array(10).fill(job), SHOP);
  await expect(jobs.enqueue('mail', job, SHOP)).rejects.toMatchObject(tooMany);

  const worker = bullWorker('mail', () => undefined, { concurrency: 4 });
  await vi.waitFor(async () => expect((await jobs.queue('mail')).counts.completed).toBe(10));
  await worker.close();
  await jobs.enqueueMany('mail', Array(10).fill(job), SHOP);

  await expect(jobs.enqueue('mail', job, SHOP)).rejects.toMatchObject(tooMany);
  expect(put.every(({ ok }) => ok)).toBe(true);
  const [backlog] = (await redis.allKeys()).filter((key) => key.includes('sluice:backlog'));
  expect(await redis.client.zcard(backlog as string)).toBe(10);
  expect(await redis.client.pttl(backlog as string)).toBeGreaterThan(29 * 86_400_000);
});

test('a job that never went in gives its room back after half a minute, and not before', async (t) => {
  const { jobs, redis } = await setup(t);
  const queue = { keys: queueKeys(redis.keys, 'mail'), name: 'mail' } as Parameters<typeof reserve>[1];
  const one = { owner: 'shop', max: 1 };
  await reserve(redis.client, queue, ['j_lost'], one);
  await expect(jobs.enqueue('mail', job, { backlog: one })).rejects.toMatchObject({
    code: 'quota_backlog_exceeded',
  });

  const [backlog] = (await redis.allKeys()).filter((key) => key.includes('sluice:backlog'));
  await redis.client.zincrby(backlog as string, -31_000, 'j_lost');

  await jobs.enqueue('mail', job, { backlog: one });
  expect(await redis.client.zcard(backlog as string)).toBe(1);
});

test('room behind hundreds that wait is found, a few hundred looks a call', async (t) => {
  const { jobs, redis } = await setup(t);
  const bound = { backlog: { owner: 'shop', max: 1_500 } };
  await jobs.enqueueMany('mail', Array(1_000).fill({ ...job, opts: { delay: 600_000 } }), bound);
  await jobs.enqueueMany('mail', Array(500).fill(job), bound);
  const waiting = (await jobs.list('mail', { state: 'waiting', limit: 1 })).jobs[0] as { id: string };
  await redis.client.hset(`${queueKeys(redis.keys, 'mail').base}${waiting.id}`, 'processedOn', Date.now());

  const outcomes: boolean[] = [];
  for (let call = 0; call < 4; call += 1)
    outcomes.push(
      await jobs.enqueue('mail', job, bound).then(
        () => true,
        () => false,
      ),
    );

  expect(outcomes.filter((isIn) => isIn)).toHaveLength(1);
});
