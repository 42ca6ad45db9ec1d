import { testRedis } from '@sluice/redis/testing';
import { Metrics } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { AttemptMetrics } from '../src/metrics.ts';

describe('the metrics of attempts', () => {
  it('tell leased jobs: their wait, their retries, their end', async (t) => {
    const { client, connect, keys } = await testRedis(t);
    const metrics = new Metrics({ processMetrics: false });
    const jobs = new Jobs({
      client,
      subscriber: connect('subscriber'),
      keys,
      leases: { watch: new AttemptMetrics(metrics) },
    });
    t.onTestFinished(() => jobs.close());
    await jobs.enqueue('out', { name: 'a', opts: { attempts: 2 } });
    const take = async () => {
      const [lease] = await jobs.leases.take('out', { count: 1, leaseMs: 10_000, holder: 'k' });
      return jobs.leases.open(lease?.lease ?? '', 'k');
    };

    await jobs.leases.fail(await take(), { message: 'no', isRetryable: true });
    await jobs.leases.fail(await take(), { message: 'no', isRetryable: true });
    await jobs.enqueue('out', { name: 'b' });
    await jobs.leases.complete(await take(), 1);

    const told = (await metrics.text()).split('\n').filter((line) => /_(total|count)\{/.test(line));
    expect(told).toEqual([
      'sluice_job_attempts_total{queue="out",processor="leased",outcome="retry",code="error"} 1',
      'sluice_job_attempts_total{queue="out",processor="leased",outcome="fail",code="error"} 1',
      'sluice_job_attempts_total{queue="out",processor="leased",outcome="completed",code=""} 1',
      'sluice_job_wait_seconds_count{queue="out"} 2',
    ]);
    expect(await jobs.queue('out')).toMatchObject({ finished: { completed: 1, failed: 1 }, stalled: 0 });
  });

  it('tell at most 500 queues by name, the others together', async () => {
    const metrics = new Metrics({ processMetrics: false });
    const attempts = new AttemptMetrics(metrics);

    for (let at = 0; at < 510; at += 1) attempts.ended(`q${at}`, 'completed', '');

    const told = (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith('sluice_job_attempts_total{'));
    expect(told).toHaveLength(501);
    expect(told.at(-1)).toBe(
      'sluice_job_attempts_total{queue="other",processor="leased",outcome="completed",code=""} 10',
    );
  });
});

it('counts a job that its holder lost', async (t) => {
  const { client, connect, keys } = await testRedis(t);
  const jobs = new Jobs({ client, subscriber: connect('subscriber'), keys, leases: { checkMs: 50 } });
  t.onTestFinished(() => jobs.close());
  await jobs.enqueue('out', { name: 'a' });
  await jobs.leases.take('out', { count: 1, leaseMs: 100, holder: 'k' });

  await expect.poll(async () => (await jobs.queue('out')).stalled, { timeout: 10_000 }).toBe(1);
});
