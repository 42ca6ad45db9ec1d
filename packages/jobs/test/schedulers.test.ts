import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import type { Schedule } from '../src/schemas.ts';
import { setup } from './setup.ts';

const EACH_NIGHT = { cron: '30 2 * * *', tz: 'Europe/Berlin' } as const;

describe('a scheduler', () => {
  it('makes jobs by its clock and time zone, with the data as it was written', async (t) => {
    const { jobs } = await setup(t);
    const data = new JsonText('{"n":12345678901234567890,"f":1.0}');

    const made = await jobs.schedulers.upsert('q', 'nightly', EACH_NIGHT, {
      name: 'report',
      data,
      opts: { attempts: 3, ttl: 60_000 },
    });

    expect(made).toMatchObject({
      id: 'nightly',
      queue: 'q',
      made: 1,
      schedule: EACH_NIGHT,
      job: { name: 'report', data: { text: data.text }, opts: { attempts: 3, ttl: 60_000 } },
    });
    const berlin = new Intl.DateTimeFormat('en-GB', {
      timeZone: 'Europe/Berlin',
      hour: '2-digit',
      minute: '2-digit',
    });
    expect(berlin.format(made.nextAt as number)).toBe('02:30');
    const next = await jobs.get('q', `repeat:nightly:${made.nextAt}`);
    expect(next).toMatchObject({
      state: 'delayed',
      runAt: made.nextAt,
      scheduler: 'nightly',
      data: { text: data.text },
    });
    expect(next.expiresAt).toBe((made.nextAt as number) + 60_000);
    expect((await jobs.queues()).map(({ name }) => name)).toEqual(['q']);
  });

  it('goes on with the data as it was written after each job', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const text = '{"f":1.0}';
    await jobs.schedulers.upsert(
      'q',
      'often',
      { every: 1_000 },
      { name: 'tick', data: new JsonText(text), opts: { ttl: 900 } },
    );
    bullWorker('q', () => 1);

    await vi.waitFor(
      async () => expect((await jobs.queue('q')).counts.completed).toBeGreaterThanOrEqual(2),
      6_000,
    );

    const { nextAt, made } = await jobs.schedulers.get('q', 'often');
    expect(made).toBeGreaterThanOrEqual(3);
    const next = await jobs.get('q', `repeat:often:${nextAt}`);
    expect(next.data.text).toBe(text);
    expect(Math.abs((next.expiresAt as number) - (nextAt as number) - 900)).toBeLessThan(50);
  });

  it('is one scheduler with one job, however many processes say so at once', async (t) => {
    const { jobs, redis } = await setup(t);
    const other = new Jobs({
      client: redis.connect('worker'),
      subscriber: redis.connect('subscriber'),
      keys: redis.keys,
    });
    t.onTestFinished(() => other.close());

    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 ? jobs : other).schedulers.upsert('q', 's', EACH_NIGHT, { name: 'n', data: 1 }),
      ),
    );

    expect((await jobs.queue('q')).counts).toMatchObject({ delayed: 1, waiting: 0 });
    expect((await jobs.schedulers.list('q', {})).total).toBe(1);
  });

  it('keeps its job when it is told the same again, and replaces it when not', async (t) => {
    const { jobs, redis } = await setup(t);
    const first = await jobs.schedulers.upsert('q', 's', EACH_NIGHT, {
      name: 'n',
      data: { a: 1 },
      opts: { priority: 2 },
    });
    const before = await redis.client.xlen(`${redis.keys.queuePrefix('q')}:q:events`);

    const same = await jobs.schedulers.upsert('q', 's', EACH_NIGHT, {
      name: 'n',
      data: { a: 1 },
      opts: { priority: 2 },
    });

    expect(same).toEqual(first);
    expect(await redis.client.xlen(`${redis.keys.queuePrefix('q')}:q:events`)).toBe(before);
    const changed = await jobs.schedulers.upsert('q', 's', { cron: '0 5 * * *' }, { name: 'other' });
    expect(changed).toMatchObject({ schedule: { cron: '0 5 * * *', tz: 'UTC' }, job: { name: 'other' } });
    const { jobs: delayed } = await jobs.list('q', { state: 'delayed' });
    expect(delayed.map(({ name }) => name)).toEqual(['other']);
  });

  it('is gone with its job when removed', async (t) => {
    const { jobs } = await setup(t);
    await jobs.schedulers.upsert('q', 'a', EACH_NIGHT, { name: 'n' });
    await jobs.schedulers.upsert('q', 'b', { cron: '0 0 1 1 *' }, { name: 'n' });

    await jobs.schedulers.remove('q', 'a');

    expect((await jobs.schedulers.list('q', {})).schedulers.map(({ id }) => id)).toEqual(['b']);
    expect((await jobs.queue('q')).counts.delayed).toBe(1);
    await expect(jobs.schedulers.remove('q', 'a')).rejects.toMatchObject({ code: 'scheduler_not_found' });
    await expect(jobs.schedulers.get('q', 'a')).rejects.toMatchObject({ code: 'scheduler_not_found' });
  });

  it('keeps its next job from being removed by itself', async (t) => {
    const { jobs } = await setup(t);
    const { nextAt } = await jobs.schedulers.upsert('q', 's', EACH_NIGHT, { name: 'n' });

    await expect(jobs.remove('q', `repeat:s:${nextAt}`)).rejects.toMatchObject({ code: 'job_not_in_state' });
  });

  for (const [what, id, schedule] of [
    ['a cron expression that cannot be read', 's', { cron: '99 * * * *' }],
    ['an hour that never comes', 's', { cron: '0 0 31 2 *' }],
    ['a time zone nobody knows', 's', { cron: '* * * * *', tz: 'Mars/Olympus' }],
    ['neither cron nor every', 's', {}],
    ['both cron and every', 's', { cron: '* * * * *', every: 1_000 }],
    ['more than once a second', 's', { every: 999 }],
    ['an end that has passed', 's', { every: 1_000, ends_at: '2020-01-01T00:00:00Z' }],
    ['an id with a colon', 'a:b', { every: 1_000 }],
    ['an unknown word', 's', { every: 1_000, immediately: true }],
  ] as [string, string, Schedule][]) {
    it(`refuses ${what}`, async (t) => {
      const { jobs, redis } = await setup(t);

      await expect(jobs.schedulers.upsert('q', id, schedule, { name: 'n' })).rejects.toMatchObject({
        code: 'job_invalid',
      });

      expect(await redis.allKeys()).toEqual([]);
    });
  }

  it('refuses options that are not for a template', async (t) => {
    const { jobs } = await setup(t);

    for (const opts of [
      { delay: 1 },
      { deduplication: { id: 'd' } },
      { expires_at: '2031-01-01T00:00:00Z' },
    ]) {
      const upserting = jobs.schedulers.upsert('q', 's', EACH_NIGHT, { name: 'n', opts: opts as object });
      await expect(upserting).rejects.toMatchObject({ code: 'job_invalid' });
    }
  });
});
