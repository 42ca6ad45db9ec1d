import { systemClock } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { Jobs } from '../src/jobs.ts';
import { queueKeys, schedulerAuditKey } from '../src/keys.ts';
import { type Bundle, setup, type TestContext } from './setup.ts';

const JOB = { name: 'n', data: { a: 1 }, opts: { attempts: 3 } };

/** Another process, which lives a minute ahead: what is due now is late for it. */
function auditor(t: TestContext, { redis }: Bundle) {
  const clock = { ...systemClock, now: () => Date.now() + 60_000 };
  const jobs = new Jobs({
    client: redis.client,
    subscriber: redis.connect('subscriber'),
    keys: redis.keys,
    clock,
  });
  t.onTestFinished(() => jobs.close());
  return {
    audit: jobs.schedulerAudit,
    /** A round of its own, whoever had the last one. */
    async look() {
      await redis.client.unlink(schedulerAuditKey(redis.keys));
      return await jobs.schedulerAudit.look();
    },
  };
}

/** As if a part of Redis' data were gone. */
async function loseJob({ redis, jobs }: Bundle, id: string): Promise<void> {
  const { nextAt } = await jobs.schedulers.get('q', id);
  const keys = queueKeys(redis.keys, 'q');
  const job = `repeat:${id}:${nextAt}`;
  await redis.client.unlink(keys.base + job);
  await Promise.all([redis.client.zrem(keys.delayed, job), redis.client.lrem(keys.wait, 0, job)]);
}

describe('a scheduler', () => {
  it('whose job is gone is armed again, as it was', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const { audit, look } = auditor(t, bundle);
    await jobs.schedulers.upsert('q', 's', { every: 1_000 }, JOB);
    await loseJob(bundle, 's');
    expect((await jobs.schedulers.get('q', 's')).nextAt).toBe(null);

    const rearmed = await look();

    expect([rearmed, audit.rearmed, audit.stopped, await look()]).toEqual([1, 1, 0, 0]);
    const { nextAt, schedule, job } = await jobs.schedulers.get('q', 's');
    expect(nextAt).toEqual(expect.any(Number));
    expect([schedule, job.name, job.data.text, job.opts]).toEqual([
      { every: 1_000 },
      'n',
      '{"a":1}',
      { attempts: 3 },
    ]);
    const done = new Promise((resolve) => bundle.bullWorker('q', async ({ id }) => resolve(id)));
    expect(await done).toBe(`repeat:s:${nextAt}`);
  });

  it('whose last job ended without a next one is armed again', async (t) => {
    const bundle = await setup(t);
    const { jobs, redis } = bundle;
    const { look } = auditor(t, bundle);
    const { nextAt } = await jobs.schedulers.upsert('q', 's', { every: 1_000 }, JOB);
    // What a worker leaves that knows nothing of schedulers.
    await redis.client.hset(
      `${queueKeys(redis.keys, 'q').base}repeat:s:${nextAt}`,
      'finishedOn',
      String(Date.now()),
    );
    await redis.client.lrem(queueKeys(redis.keys, 'q').wait, 0, `repeat:s:${nextAt}`);

    expect(await look()).toBe(1);

    expect((await jobs.schedulers.get('q', 's')).nextAt).toBeGreaterThan(nextAt ?? 0);
  });

  it('is left alone while its job waits, when its time has not come, and at its end', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const { look } = auditor(t, bundle);
    const waiting = await jobs.schedulers.upsert('q', 'waiting', { every: 1_000 }, JOB);
    await jobs.schedulers.upsert('q', 'later', { cron: '0 0 1 1 *' }, JOB);
    await loseJob(bundle, 'later');
    await jobs.schedulers.upsert('q', 'ended', { every: 1_000, limit: 1 }, JOB);
    await loseJob(bundle, 'ended');

    expect(await look()).toBe(0);

    expect((await jobs.schedulers.get('q', 'waiting')).nextAt).toBe(waiting.nextAt);
    expect((await jobs.schedulers.get('q', 'ended')).nextAt).toBe(null);
  });

  it('is looked for by one process of all in a round', async (t) => {
    const bundle = await setup(t);
    const [one, other] = [auditor(t, bundle), auditor(t, bundle)];
    await bundle.jobs.schedulers.upsert('q', 's', { every: 1_000 }, JOB);
    await loseJob(bundle, 's');

    const looks = await Promise.all([one.audit.look(), other.audit.look()]);

    expect(looks.sort()).toEqual([0, 1]);
  });
});
