import { describe, expect, it, vi } from 'vitest';
import { setup } from './setup.ts';

async function overdue(isOver: () => number): Promise<void> {
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(isOver() + 1), { timeout: 3_000, interval: 5 });
}

describe('a job not started in time', () => {
  for (const [place, opts] of [
    ['waiting', {}],
    ['prioritized', { priority: 1 }],
    ['delayed', { delay: 20 }],
  ] as const) {
    it(`ends as expired where it is ${place}, as soon as somebody looks, and is counted so`, async (t) => {
      const { jobs } = await setup(t);
      const stream = await jobs.subscribe('q');
      const { id } = await jobs.enqueue('q', { name: 'n', opts: { ...opts, ttl: 40 } });
      const { expiresAt } = await jobs.get('q', id);
      await overdue(() => expiresAt as number);

      const job = await jobs.get('q', id);

      const message = `not started before ${new Date(expiresAt as number).toISOString()}`;
      expect(job).toMatchObject({
        state: 'expired',
        error: { code: 'expired', message },
        attempts: { started: 0 },
      });
      expect(job.finishedAt).not.toBeNull();
      expect((await jobs.queue('q')).counts).toMatchObject({
        waiting: 0,
        prioritized: 0,
        delayed: 0,
        failed: 1,
      });
      for await (const { event, data } of stream) {
        if (event !== 'failed') continue;
        expect(data).toEqual({ error: { code: 'expired', message }, prev: place });
        break;
      }
    });
  }

  it('ends when its list is read, and frees its deduplication id', async (t) => {
    const { jobs } = await setup(t);
    const opts = { ttl: 30, deduplication: { id: 'd' } };
    const { id } = await jobs.enqueue('q', { name: 'n', opts });
    const { expiresAt } = await jobs.get('q', id);
    await overdue(() => expiresAt as number);

    const { jobs: waiting } = await jobs.list('q', { state: 'waiting' });
    const { jobs: failed } = await jobs.list('q', { state: 'failed' });

    expect(waiting.map(({ state }) => state)).toEqual(['expired']);
    expect(failed.map((job) => [job.id, job.state])).toEqual([[id, 'expired']]);
    expect(await jobs.enqueue('q', { name: 'n', opts })).toMatchObject({ created: true });
  });

  it('leaves nothing when failed jobs of its kind are not kept', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { ttl: 30, retain: { count: 0 } } });

    expect(await jobs.waitForResult('q', id, { timeoutMs: 5_000 })).toMatchObject({
      kind: 'failed',
      state: 'expired',
    });

    await expect(jobs.get('q', id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect((await jobs.queue('q')).counts).toMatchObject({ waiting: 0, failed: 0 });
  });

  it('runs when it is retried', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { ttl: 30 } });
    await jobs.waitForResult('q', id, { timeoutMs: 5_000 });

    expect(await jobs.retry('q', id)).toMatchObject({ state: 'waiting', error: null, expiresAt: null });

    bullWorker('q', () => 1);
    expect(await jobs.waitForResult('q', id, { timeoutMs: 5_000 })).toMatchObject({ kind: 'completed' });
  });
});
