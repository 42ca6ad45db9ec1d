import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import { type Bundle, setup } from './setup.ts';

/** A job that a stock worker has failed `attempts` times. */
async function failed({ jobs, bullWorker }: Bundle, opts = {}): Promise<string> {
  const { id } = await jobs.enqueue('q', { name: 'n', data: { a: 1 }, opts });
  const worker = bullWorker('q', () => {
    throw new Error('broken');
  });
  await vi.waitFor(async () => expect((await jobs.get('q', id)).state).toBe('failed'), 5_000);
  await worker.close();
  return id;
}

describe('retry', () => {
  it('runs a failed job again with its attempts counted from the start', async (t) => {
    const bundle = await setup(t);
    const { jobs, bullWorker } = bundle;
    const id = await failed(bundle, { attempts: 2 });

    const retried = await jobs.retry('q', id);

    expect(retried).toMatchObject({
      state: 'waiting',
      error: null,
      finishedAt: null,
      attempts: { made: 0, started: 0, max: 2, lost: 0 },
    });
    bullWorker('q', () => 'fine');
    expect(await jobs.waitForResult('q', id, { timeoutMs: 5_000 })).toMatchObject({
      kind: 'completed',
      result: { text: '"fine"' },
    });
  });

  it('drops an expiry that has passed and a lost delivery', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis } = bundle;
    const id = await failed(bundle, { ttl: 3_600_000, timeout: 5_000 });
    const hash = `${redis.keys.queuePrefix('q')}:q:${id}`;
    const opts = (await redis.client.hget(hash, 'opts')) as string;
    await redis.client.hset(hash, 'stc', '10', 'opts', opts.replace(/"expiresAt":\d+/, '"expiresAt":1'));

    const retried = await jobs.retry('q', id);

    expect(retried).toMatchObject({
      state: 'waiting',
      expiresAt: null,
      options: { timeoutMs: 5_000 },
      attempts: { lost: 0 },
    });
  });

  it('refuses a job that has not finished', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });

    await expect(jobs.retry('q', id)).rejects.toMatchObject({
      code: 'job_not_in_state',
      details: { state: 'waiting' },
    });
    await expect(jobs.retry('q', 'j_none')).rejects.toMatchObject({ code: 'job_not_found' });
    await expect(jobs.retry('q', 'meta')).rejects.toMatchObject({ code: 'job_not_found' });
  });
});

describe('promote', () => {
  it('makes a delayed job ready', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { delay: 60_000 } });

    expect(await jobs.promote('q', id)).toMatchObject({ state: 'waiting', runAt: null });
    await expect(jobs.promote('q', id)).rejects.toMatchObject({ code: 'job_not_in_state' });
  });
});

describe('cancel', () => {
  for (const [state, opts] of [
    ['waiting', {}],
    ['prioritized', { priority: 3 }],
    ['delayed', { delay: 60_000 }],
  ] as const) {
    it(`removes a ${state} job`, async (t) => {
      const { jobs } = await setup(t);
      const { id } = await jobs.enqueue('q', { name: 'n', opts });

      expect(await jobs.cancel('q', id)).toEqual({ kind: 'removed' });

      await expect(jobs.get('q', id)).rejects.toMatchObject({ code: 'job_not_found' });
      expect((await jobs.queue('q')).counts[state]).toBe(0);
    });
  }

  it('asks the one who runs the job', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    let finish = (): void => undefined;
    bullWorker('q', () => new Promise<void>((resolve) => (finish = resolve)));
    const { id } = await jobs.enqueue('q', { name: 'n' });
    await vi.waitFor(async () => expect((await jobs.get('q', id)).state).toBe('active'), 5_000);

    expect(await jobs.cancel('q', id)).toEqual({ kind: 'cancelling' });

    expect(await jobs.get('q', id)).toMatchObject({ state: 'active', isCancelling: true });
    finish();
  });

  it('refuses a finished job', async (t) => {
    const bundle = await setup(t);
    const id = await failed(bundle);

    await expect(bundle.jobs.cancel('q', id)).rejects.toMatchObject({
      code: 'job_not_in_state',
      details: { state: 'failed' },
    });
  });
});

describe('remove', () => {
  it('takes a job away for good, and its deduplication with it', async (t) => {
    const { jobs } = await setup(t);
    const job = { name: 'n', opts: { deduplication: { id: 'd' } } };
    const { id } = await jobs.enqueue('q', job);
    expect(await jobs.enqueue('q', job)).toMatchObject({
      id,
      created: false,
      deduplicated: true,
      state: 'waiting',
    });

    await jobs.remove('q', id);

    await expect(jobs.remove('q', id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await jobs.enqueue('q', job)).toMatchObject({ created: true });
  });

  it('refuses a running job, and every key of BullMQ', async (t) => {
    const { jobs, bullWorker, redis } = await setup(t);
    let finish = (): void => undefined;
    bullWorker('q', () => new Promise<void>((resolve) => (finish = resolve)));
    const { id } = await jobs.enqueue('q', { name: 'n' });
    await vi.waitFor(async () => expect((await jobs.get('q', id)).state).toBe('active'), 5_000);
    const before = await redis.allKeys();

    await expect(jobs.remove('q', id)).rejects.toMatchObject({ code: 'job_locked' });
    for (const key of ['meta', 'active', 'events', 'id', '']) {
      await expect(jobs.remove('q', key)).rejects.toMatchObject({ code: 'job_not_found' });
    }

    expect(await redis.allKeys()).toEqual(before);
    finish();
  });
});

describe('update', () => {
  it('changes data, delay and priority of a job that has not been started', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', data: 1, opts: { delay: 60_000 } });

    const updated = await jobs.update('q', id, {
      data: new JsonText('{"n":1.0}'),
      delay: 120_000,
      priority: 5,
    });

    expect(updated).toMatchObject({
      state: 'delayed',
      data: { text: '{"n":1.0}' },
      options: { priority: 5 },
    });
    expect((updated.runAt ?? 0) - Date.now()).toBeGreaterThan(110_000);
    expect(await jobs.promote('q', id)).toMatchObject({ state: 'prioritized' });
  });

  it('moves a waiting job among the prioritized ones', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });

    expect((await jobs.update('q', id, { priority: 5 })).state).toBe('prioritized');
    expect((await jobs.update('q', id, { priority: 0 })).state).toBe('waiting');
  });

  it('refuses what cannot be changed any more', async (t) => {
    const bundle = await setup(t);
    const id = await failed(bundle);
    const waiting = await bundle.jobs.enqueue('q', { name: 'n' });

    await expect(bundle.jobs.update('q', id, { data: 1 })).rejects.toMatchObject({
      code: 'job_not_in_state',
    });
    await expect(bundle.jobs.update('q', waiting.id, { delay: 1 })).rejects.toMatchObject({
      code: 'job_not_in_state',
    });
    await expect(bundle.jobs.update('q', waiting.id, { priority: -1 })).rejects.toMatchObject({
      code: 'job_invalid',
    });
  });
});

describe('logs', () => {
  it('tells lines in their order, by pages', async (t) => {
    const { jobs, bullQueue } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    const queue = bullQueue('q');
    for (const line of ['one', 'two', 'three']) await queue.addJobLog(id, line);

    expect(await jobs.logs('q', id)).toEqual({ lines: ['one', 'two', 'three'], total: 3 });
    expect(await jobs.logs('q', id, { offset: 1, limit: 1 })).toEqual({ lines: ['two'], total: 3 });
  });
});
