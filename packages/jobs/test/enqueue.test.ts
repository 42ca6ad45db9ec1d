import { JsonText } from '@sluice/runtime';
import { QueueEvents } from 'bullmq';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { JobOptions } from '../src/schemas.ts';
import { setup } from './setup.ts';

const REFUSED_OPTIONS: [string, unknown][] = [
  ['an unknown option', { colour: 'red' }],
  ['a parent', { parent: { id: '1', queue: 'other' } }],
  ['a job id', { jobId: 'marker' }],
  ['repeat', { repeat: { every: 1 } }],
  ['a negative delay', { delay: -1 }],
  ['a delay and a time', { delay: 1, run_at: '2030-01-01T00:00:00Z' }],
  ['a fraction of a priority', { priority: 1.5 }],
  ['a backoff nobody knows', { backoff: { type: 'magic', delay: 1 } }],
  ['a backoff of centuries', { attempts: 100, backoff: { type: 'exponential', delay: 1_000 } }],
  ['a time to live that ends before the delay', { delay: 10, ttl: 10 }],
  ['a throttle without its time', { deduplication: { id: 'a', mode: 'throttle' } }],
  ['an expiry that has passed', { expires_at: '2020-01-01T00:00:00Z' }],
];

describe('enqueue', () => {
  it('answers with an id of ours and where the job is', async (t) => {
    const { jobs } = await setup(t);

    const waiting = await jobs.enqueue('mail', { name: 'send', data: { to: 'a@example.com' } });
    const delayed = await jobs.enqueue('mail', { name: 'send', opts: { delay: 60_000 } });
    const prioritized = await jobs.enqueue('mail', { name: 'send', opts: { priority: 7 } });

    expect(waiting).toEqual({
      id: expect.stringMatching(/^j_[0-9A-HJKMNP-TV-Z]{26}$/),
      queue: 'mail',
      name: 'send',
      state: 'waiting',
      created: true,
      deduplicated: false,
      durability: 'memory',
    });
    expect([delayed.state, prioritized.state]).toEqual(['delayed', 'prioritized']);
    expect((await jobs.queue('mail')).counts).toEqual({
      waiting: 1,
      prioritized: 1,
      delayed: 1,
      active: 0,
      'waiting-children': 0,
      completed: 0,
      failed: 0,
    });
  });

  it('gives data back byte for byte', async (t) => {
    const { jobs } = await setup(t);
    const text = '{"n":12345678901234567890,"f":1.0,"s":"\\u00e9 é / \\/","twice":1,"twice":2,"e":{},"a":[]}';

    const { id } = await jobs.enqueue('q', { name: 'n', data: new JsonText(text) });

    expect((await jobs.get('q', id)).data.text).toBe(text);
  });

  it('writes what came in one turn of the event loop in one call', async (t) => {
    const { jobs, redis } = await setup(t);
    await jobs.enqueue('q', { name: 'first' });
    const sent = vi.spyOn(redis.client, 'sendCommand');

    await Promise.all(
      Array.from({ length: 100 }, (_, index) => jobs.enqueue('q', { name: 'n', data: { index } })),
    );

    expect(sent.mock.calls.map(([command]) => command.name)).toEqual(['evalsha']);
    expect((await jobs.queue('q')).counts.waiting).toBe(101);
  });

  it('writes nothing of a batch with an invalid job, and says which', async (t) => {
    const { jobs, redis } = await setup(t);

    const results = await jobs.enqueueMany('q', [
      { name: 'good' },
      { name: '' },
      { name: 'good', opts: { priority: -1 } },
    ]);

    expect(results.map((each) => (each.ok ? 'ok' : (each.error as { code: string }).code))).toEqual([
      'batch_refused',
      'job_invalid',
      'job_invalid',
    ]);
    expect(await redis.allKeys()).toEqual([]);
  });

  it('writes the valid jobs of a batch when asked to', async (t) => {
    const { jobs } = await setup(t);

    const results = await jobs.enqueueMany('q', [{ name: 'good' }, { name: '' }], { onInvalid: 'skip' });

    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
    expect((await jobs.queue('q')).counts.waiting).toBe(1);
  });

  for (const [what, opts] of REFUSED_OPTIONS) {
    it(`refuses ${what}`, async (t) => {
      const { jobs, redis } = await setup(t);

      const enqueuing = jobs.enqueue('q', { name: 'n', opts: opts as JobOptions });

      await expect(enqueuing).rejects.toMatchObject({ code: 'job_invalid' });
      expect(await redis.allKeys()).toEqual([]);
    });
  }

  it('carries any JSON byte for byte', async (t) => {
    const { jobs } = await setup(t);

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.json({ noUnicodeString: false }), { minLength: 1, maxLength: 20 }),
        async (texts) => {
          const results = await jobs.enqueueMany(
            'q',
            texts.map((text) => ({ name: 'n', data: new JsonText(text) })),
          );
          const back = await Promise.all(results.map((each) => jobs.get('q', each.ok ? each.job.id : '')));
          expect(back.map(({ data }) => data.text)).toEqual(texts);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps the failure of one job from its neighbours', async (t) => {
    const { jobs, redis } = await setup(t);
    await redis.client.lpush(`${redis.keys.queuePrefix('q')}:q:de:broken`, 'not a job id');

    const results = await jobs.enqueueMany('q', [
      { name: 'one' },
      { name: 'two', opts: { deduplication: { id: 'broken' } } },
      { name: 'three', opts: { priority: 1 } },
    ]);

    expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(results[1]).toMatchObject({ error: { message: expect.stringContaining('WRONGTYPE') } });
    expect((await jobs.queue('q')).counts).toMatchObject({ waiting: 1, prioritized: 1 });
  });

  it('knows a queue again whose name was lost', async (t) => {
    const { jobs, redis } = await setup(t);
    await jobs.enqueue('q', { name: 'n' });
    await redis.client.unlink(...(await redis.allKeys()));

    await jobs.enqueue('q', { name: 'n' });

    expect((await jobs.queues()).map(({ name }) => name)).toEqual(['q']);
  });

  it('tells queues by pages, and the workers of each', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    for (const name of ['c', 'a', 'b']) await jobs.enqueue(name, { name: 'n' });
    const worker = bullWorker('b', () => 1);
    bullWorker('b', () => 1, { name: 'second' });
    await worker.waitUntilReady();

    await expect.poll(async () => (await jobs.queue('b')).workers, { timeout: 5_000 }).toBe(2);
    const page = await jobs.queues({ after: 'a', limit: 1 });
    expect(page).toMatchObject([{ name: 'b', workers: 2 }]);
    expect((await jobs.queue('a')).workers).toBe(0);
  });

  it('is heard by stock BullMQ listeners', async (t) => {
    const { jobs, redis, bullWorker } = await setup(t);
    const options = { prefix: redis.keys.queuePrefix('q'), lastEventId: '0-0' };
    const events = new QueueEvents('q', { connection: redis.connect('worker'), ...options });
    t.onTestFinished(() => events.close());
    const heard: string[] = [];
    events.on('waiting', ({ jobId }) => heard.push(`waiting ${jobId}`));
    events.on('delayed', ({ jobId }) => heard.push(`delayed ${jobId}`));
    events.on('completed', ({ jobId, returnvalue }) => heard.push(`completed ${jobId} ${returnvalue}`));

    const [plain, late] = await Promise.all([
      jobs.enqueue('q', { name: 'n' }),
      jobs.enqueue('q', { name: 'n', opts: { delay: 60_000 } }),
    ]);
    bullWorker('q', () => 'done');

    await vi.waitFor(() => expect(heard).toContain(`completed ${plain.id} done`), 5_000);
    expect(heard.slice(0, 2)).toEqual([`waiting ${plain.id}`, `delayed ${late.id}`]);
  });

  it('serves stock BullMQ workers', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const seen: unknown[] = [];
    bullWorker('q', ({ data, name }) => {
      seen.push([name, data]);
      return { done: true };
    });

    const { id } = await jobs.enqueue('q', { name: 'n', data: { a: 1 } });

    await vi.waitFor(async () => expect((await jobs.get('q', id)).state).toBe('completed'), 5_000);
    expect(seen).toEqual([['n', { a: 1 }]]);
    expect((await jobs.get('q', id)).result?.text).toBe('{"done":true}');
  });
});
