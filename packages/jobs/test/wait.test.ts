import { systemClock } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { BullMqLoader } from '../src/bullmq-loader.ts';
import type { StreamEvent } from '../src/event-reader.ts';
import { Queues } from '../src/queues.ts';
import { Waiter } from '../src/wait.ts';
import { setup } from './setup.ts';

describe('waitForResult', () => {
  it('answers with the result as soon as the job has completed', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', data: { a: 1 } });

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    bullWorker('q', ({ data }) => ({ got: data }));

    expect(await waiting).toMatchObject({ kind: 'completed', result: { text: '{"got":{"a":1}}' } });
  });

  it('answers with the failure after the last attempt only', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { attempts: 2 } });
    let runs = 0;

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    bullWorker('q', () => {
      runs += 1;
      throw new Error(`run ${runs}`);
    });

    expect(await waiting).toEqual({
      kind: 'failed',
      state: 'failed',
      error: { code: 'error', message: 'run 2' },
    });
  });

  it('is pending when its time is over', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { delay: 60_000 } });

    expect(await jobs.waitForResult('q', id, { timeoutMs: 30 })).toEqual({
      kind: 'pending',
      state: 'delayed',
    });
    expect(await jobs.waitForResult('q', id, { timeoutMs: 0 })).toEqual({
      kind: 'pending',
      state: 'delayed',
    });
  });

  it('tells the result of a job that is not kept', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { retain: { count: 0 } } });

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    bullWorker('q', () => 7);

    expect(await waiting).toMatchObject({ kind: 'completed', result: { text: '7' } });
    await expect(jobs.get('q', id)).rejects.toMatchObject({ code: 'job_not_found' });
  });

  it('tells the result of a job that is gone before its event is read', async (t) => {
    const { jobs, redis } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    const job = await jobs.get('q', id);
    let heard: (event: StreamEvent) => void = () => undefined;
    const waiter = new Waiter({
      clock: systemClock,
      queues: new Queues({ bullmq: new BullMqLoader(redis.client), keys: redis.keys }),
      reader: {
        get: async () => job,
        async find() {
          setTimeout(
            () => heard({ id: '1-0', fields: { event: 'completed', jobId: id, returnvalue: '"late"' } }),
            20,
          );
          return undefined;
        },
      },
      events: {
        async listen(_stream, { onEvent }) {
          heard = onEvent;
          return { from: '0-0', stop: () => undefined };
        },
      },
    });

    expect(await waiter.wait('q', id, { timeoutMs: 10_000 })).toMatchObject({
      kind: 'completed',
      result: { text: '"late"' },
    });
  });

  it('ends when the job is removed', async (t) => {
    const { jobs, bullQueue } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    await bullQueue('q').remove(id);

    expect(await waiting).toEqual({ kind: 'gone' });
  });

  it('ends by looking again when the event never came', async (t) => {
    const { jobs, redis } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    await redis.client.unlink(`${redis.keys.queuePrefix('q')}:q:${id}`);

    expect(await waiting).toEqual({ kind: 'gone' });
  });

  it('ends as expired at the time by which the job had to start', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n', opts: { ttl: 150 } });

    expect(await jobs.waitForResult('q', id, { timeoutMs: 10_000 })).toMatchObject({
      kind: 'failed',
      state: 'expired',
      error: { code: 'expired' },
    });
  });

  it('ends with its signal', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });
    const controller = new AbortController();

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000, signal: controller.signal });
    controller.abort(new Error('went away'));

    await expect(waiting).rejects.toThrow('went away');
  });

  it('ends when the connection does', async (t) => {
    const { jobs } = await setup(t);
    const { id } = await jobs.enqueue('q', { name: 'n' });

    const waiting = jobs.waitForResult('q', id, { timeoutMs: 10_000 });
    setImmediate(() => void jobs.close());

    await expect(waiting).rejects.toThrow('Connection is closed');
  });

  it('serves a thousand waits on many queues over one connection', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const names = Array.from({ length: 20 }, (_, index) => `q${index}`);
    const enqueued = await Promise.all(
      names.flatMap((queue) => Array.from({ length: 50 }, () => jobs.enqueue(queue, { name: 'n' }))),
    );

    const waiting = Promise.all(
      enqueued.map(({ queue, id }) => jobs.waitForResult(queue, id, { timeoutMs: 12_000 })),
    );
    for (const name of names) bullWorker(name, () => name, { concurrency: 10 });

    expect((await waiting).map((end) => end.kind === 'completed' && end.result.text)).toEqual(
      enqueued.map(({ queue }) => `"${queue}"`),
    );
  });

  it('knows no job that is not there', async (t) => {
    const { jobs } = await setup(t);

    await expect(jobs.waitForResult('q', 'j_none', { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'job_not_found',
    });
    await expect(jobs.waitForResult('q', 'meta', { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'job_not_found',
    });
  });
});
