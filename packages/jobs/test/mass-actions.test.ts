import { describe, expect, it, vi } from 'vitest';
import { type Bundle, setup } from './setup.ts';

async function fill({ jobs }: Bundle, count: number, opts: object = {}, name = 'n'): Promise<string[]> {
  const enqueued = await Promise.all(Array.from({ length: count }, () => jobs.enqueue('q', { name, opts })));
  return enqueued.map(({ id }) => id);
}

/** Has a stock worker fail every job of the queue. */
async function failAll({ jobs, bullWorker }: Bundle, reasonOf: (name: string) => string): Promise<void> {
  const worker = bullWorker(
    'q',
    ({ name }) => {
      throw new Error(reasonOf(name));
    },
    { concurrency: 50 },
  );
  await vi.waitFor(
    async () => expect((await jobs.queue('q')).counts).toMatchObject({ waiting: 0, active: 0 }),
    10_000,
  );
  await worker.close();
}

describe('drain', () => {
  it('removes what waits, and nothing of it stays behind', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis } = bundle;
    await fill(bundle, 700);
    await fill(bundle, 3, { priority: 1 });
    await jobs.enqueue('q', { name: 'n', opts: { deduplication: { id: 'd' } } });
    const [delayed] = await fill(bundle, 1, { delay: 60_000 });

    expect(await jobs.drain('q')).toEqual({ affected: 704, next: null });

    expect((await jobs.queue('q')).counts).toMatchObject({ waiting: 0, prioritized: 0, delayed: 1 });
    const base = `${redis.keys.queuePrefix('q')}:q:`;
    const left = (await redis.allKeys())
      .filter((key) => key.startsWith(base))
      .map((key) => key.slice(base.length));
    expect(left).toEqual(['delayed', 'events', 'id', 'marker', 'meta', 'pc', delayed].sort());
    expect(await jobs.drain('q', { delayed: true })).toEqual({ affected: 1, next: null });
  });

  it('spares the next job of a scheduler, wherever it waits', async (t) => {
    const bundle = await setup(t);
    const { jobs, bullQueue } = bundle;
    const queue = bullQueue('q');
    const next = await queue.upsertJobScheduler('s', { every: 60_000 }, { name: 'tick' });
    await fill(bundle, 1_200);

    const { affected } = await jobs.drain('q', { delayed: true });

    expect(affected).toBe(1_200);
    expect((await jobs.get('q', next.id as string)).name).toBe('tick');
  });
});

describe('clean', () => {
  it('removes finished jobs that are old enough, oldest first', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis } = bundle;
    await fill(bundle, 30);
    await failAll(bundle, () => 'broken');
    const failed = `${redis.keys.queuePrefix('q')}:q:failed`;
    const [first, second] = await redis.client.zrange(failed, '0', '1');
    for (const id of [first, second]) await redis.client.zadd(failed, 1_000, id as string);

    expect(await jobs.clean('q', { state: 'failed', olderThanMs: 3_600_000 })).toEqual({
      affected: 2,
      next: null,
    });
    expect(await jobs.clean('q', { state: 'failed', limit: 10 })).toEqual({ affected: 10, next: null });
    expect((await jobs.queue('q')).counts.failed).toBe(18);
    await expect(jobs.get('q', first as string)).rejects.toMatchObject({ code: 'job_not_found' });
  });

  it('keeps young jobs where they are, in their order', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis } = bundle;
    const ids = await fill(bundle, 20);
    const base = `${redis.keys.queuePrefix('q')}:q:`;
    for (const id of ids.filter((_, index) => index % 3 === 1))
      await redis.client.hset(base + id, 'timestamp', 1_000);

    const { affected } = await jobs.clean('q', { state: 'waiting', olderThanMs: 3_600_000 });

    expect(affected).toBe(7);
    const { jobs: left } = await jobs.list('q', { state: 'waiting', limit: 100 });
    expect(left.map(({ id }) => id)).toEqual(ids.filter((_, index) => index % 3 !== 1));
  });

  it('refuses the running ones', async (t) => {
    const { jobs } = await setup(t);

    await expect(jobs.clean('q', { state: 'active' as 'failed' })).rejects.toMatchObject({
      code: 'job_invalid',
    });
  });
});

describe('redrive', () => {
  it('runs those again that fit, each with its attempts counted from the start', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    await fill(bundle, 130, {}, 'mail');
    await fill(bundle, 5, {}, 'other');
    await failAll(bundle, (name) => (name === 'mail' ? 'expired: too late' : 'socket hang up'));

    expect(await jobs.redrive('q', { code: 'expired', name: 'mail', limit: 20 })).toMatchObject({
      affected: 20,
    });
    expect(await jobs.redrive('q', { code: 'error', text: 'hang' })).toEqual({
      affected: 5,
      examined: 115,
      next: null,
    });
    expect(await jobs.redrive('q', { name: 'nobody' })).toEqual({ affected: 0, examined: 110, next: null });
    expect(await jobs.redrive('q')).toEqual({ affected: 110, examined: 110, next: null });

    expect((await jobs.queue('q')).counts).toMatchObject({ waiting: 135, failed: 0 });
    const { jobs: waiting } = await jobs.list('q', { state: 'waiting', limit: 1 });
    expect(waiting[0]).toMatchObject({ error: null, attempts: { made: 0, started: 0 } });
  });

  it('does not meet again what fails at once', async (t) => {
    const bundle = await setup(t);
    const { jobs, bullWorker } = bundle;
    await fill(bundle, 300);
    await failAll(bundle, () => 'broken');
    bullWorker(
      'q',
      () => {
        throw new Error('still broken');
      },
      { concurrency: 50 },
    );

    const { affected, next } = await jobs.redrive('q');

    expect({ affected, next }).toEqual({ affected: 300, next: null });
  });
});

describe('obliterate', () => {
  it('leaves nothing of a queue, and forgets its name', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis, bullQueue } = bundle;
    await fill(bundle, 1_100);
    await fill(bundle, 2, { delay: 60_000 });
    await jobs.enqueue('q', { name: 'n', opts: { deduplication: { id: 'd' } } });
    await bullQueue('q').upsertJobScheduler('s', { every: 60_000 }, { name: 'tick' });
    await jobs.enqueue('other', { name: 'n' });

    expect(await jobs.obliterate('q')).toEqual({ affected: 1_104, next: null });

    expect((await redis.allKeys()).filter((key) => key.includes(':q:'))).toEqual([]);
    expect((await jobs.queues()).map(({ name }) => name)).toEqual(['other']);
    await expect(jobs.queue('q')).rejects.toMatchObject({ code: 'queue_not_found' });
    await jobs.enqueue('q', { name: 'again' });
    expect((await jobs.queues()).map(({ name }) => name)).toEqual(['other', 'q']);
  });

  it('refuses while jobs run, unless forced', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    let finish = (): void => undefined;
    bullWorker('q', () => new Promise<void>((resolve) => (finish = resolve)));
    const { id } = await jobs.enqueue('q', { name: 'n' });
    await vi.waitFor(async () => expect((await jobs.get('q', id)).state).toBe('active'), 5_000);

    await expect(jobs.obliterate('q')).rejects.toMatchObject({ code: 'queue_active' });
    expect((await jobs.queue('q')).isPaused).toBe(false);
    expect((await jobs.obliterate('q', { force: true })).next).toBeNull();
    finish();
  });
});

describe('pause, resume and limits', () => {
  it('holds jobs back and lets them go', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    expect((await jobs.pause('q')).isPaused).toBe(true);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    bullWorker('q', () => 1);

    expect(await jobs.waitForResult('q', id, { timeoutMs: 200 })).toMatchObject({
      kind: 'pending',
      state: 'waiting',
    });
    expect((await jobs.resume('q')).isPaused).toBe(false);
    expect(await jobs.waitForResult('q', id, { timeoutMs: 8_000 })).toMatchObject({ kind: 'completed' });
  });

  it('sets and takes away what a queue may do at once', async (t) => {
    const { jobs } = await setup(t);

    const set = await jobs.setLimits('q', { concurrency: 3, rate: { max: 10, duration: 1_000 } });
    const changed = await jobs.setLimits('q', { concurrency: null });

    expect(set.limits).toEqual({ concurrency: 3, rate: { max: 10, durationMs: 1_000 }, group: null });
    expect(changed.limits).toEqual({ concurrency: null, rate: { max: 10, durationMs: 1_000 }, group: null });
    await expect(jobs.setLimits('q', { concurrency: 0 })).rejects.toMatchObject({ code: 'job_invalid' });
  });

  it('knows a queue that was resumed before its first job', async (t) => {
    const { jobs } = await setup(t);

    expect(await jobs.resume('q')).toMatchObject({ name: 'q', isPaused: false, oldestWaitingMs: null });
  });
});
