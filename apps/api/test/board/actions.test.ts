import { expect, test } from 'vitest';
import { MAX_BULK_JOBS } from '../../src/board/bulk.ts';
import { boardUnderTest } from './setup.ts';

const JSON_BODY = { body: '{}', headers: { 'Content-Type': 'application/json' } };
test('takes what names a key of BullMQ for no job', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const mail = await board.queue('mail');
  await mail.add('a', {}, { jobId: 'j_1' });
  await mail.pause();
  const before = await board.dump();

  for (const id of [
    'meta',
    'events',
    'wait',
    'id',
    'marker',
    '0',
    'a:b',
    'de:x',
    '%00',
    'j_1:lock',
    '..%2fmeta',
  ]) {
    for (const [method, action] of [
      ['GET', ''],
      ['GET', '/logs'],
      ['GET', '/flow'],
      ['PUT', '/clean'],
      ['PUT', '/retry'],
    ]) {
      const response = await board.fetchAs(key, `/api/queues/mail/${id}${action}`, {
        method: method as string,
      });
      const text = await response.text();
      if (action === '/logs') expect([response.status, text]).toEqual([200, '[]']);
      else expect([id, action, response.status]).toEqual([id, action, 404]);
    }
  }

  expect(await board.dump()).toEqual(before);
});

test('offers nothing that would write what it shows, or work without end', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const mail = await board.queue('mail');
  await mail.add('a', { password: 'x' }, { jobId: 'j_1' });
  await mail.upsertJobScheduler('nightly', { every: 3_600_000 }, { name: 'nightly', data: {} });
  const before = await board.dump();
  const refused: [string, string][] = [
    ['POST', '/api/queues/mail/add'],
    ['PATCH', '/api/queues/mail/j_1/update-data'],
    ['PATCH', '/api/queues/mail/job-schedulers/nightly'],
    ['PUT', '/api/queues/mail/job-schedulers/nightly/run'],
    ['GET', '/api/redis/stats'],
    ['GET', '/api/queues/mail/workers'],
  ];

  for (const [method, path] of refused) {
    const response = await board.fetchAs(key, path, { method, ...(method !== 'GET' && JSON_BODY) });
    expect([path, response.status]).toEqual([path, 403]);
  }

  expect(await board.dump()).toEqual(before);
});

test('promotes a bounded number at a click, removes and retries all', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['*']);
  const mail = await board.queue('mail');
  const many = MAX_BULK_JOBS + 50;
  const jobs = (delay: number) =>
    Array.from({ length: many }, (_, index) => ({
      name: 'a',
      data: {},
      opts: { delay, jobId: `j_${delay}_${index}` },
    }));
  const act = async (path: string) => {
    const response = await board.fetchAs(key, `/api/queues/mail${path}`, { method: 'PUT' });
    expect([path, response.status]).toEqual([path, 200]);
    return (await response.json()) as unknown;
  };
  await mail.addBulk(jobs(3_600_000));

  await act('/promote');
  expect(await mail.getJobCounts('waiting', 'delayed')).toEqual({ waiting: MAX_BULK_JOBS, delayed: 50 });
  await act('/empty');
  expect(await mail.getJobCounts('waiting', 'delayed')).toEqual({ waiting: 0, delayed: 50 });

  await mail.addBulk(jobs(0));
  const worker = board.work('mail', () => Promise.reject(new Error('no')));
  await expect.poll(async () => (await mail.getJobCounts('failed')).failed, { timeout: 10_000 }).toBe(many);
  await worker.close();
  expect(await act('/retry/failed')).toEqual({ retried: many, skipped: 0 });
  expect(await mail.getJobCounts('waiting', 'failed')).toEqual({ waiting: many, failed: 0 });
  expect((await board.fetchAs(key, '/api/queues/mail/clean/active', { method: 'PUT' })).status).toBe(400);
  expect((await board.fetchAs(key, '/api/queues/mail/clean/meta', { method: 'PUT' })).status).toBe(400);
  expect((await board.fetchAs(key, '/api/queues/mail/retry/waiting', { method: 'PUT' })).status).toBe(400);
});

test('retries a failed job from its first attempt, and removes a job', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const mail = await board.queue('mail');
  const worker = board.work('mail', () => Promise.reject(new Error('no')));
  await mail.add('a', {}, { jobId: 'j_1' });
  await expect.poll(() => mail.getJobState('j_1')).toBe('failed');
  await worker.close();

  const retried = await board.fetchAs(key, '/api/queues/mail/j_1/retry', { method: 'PUT' });
  const job = await mail.getJob('j_1');
  expect([retried.status, await job?.getState(), job?.attemptsMade]).toEqual([204, 'waiting', 0]);

  const removed = await board.fetchAs(key, '/api/queues/mail/j_1/clean', { method: 'PUT' });
  expect([removed.status, await mail.getJob('j_1')]).toEqual([204, undefined]);
});

test('says of a job that is elsewhere by now that it is, and leaves it there', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['*']);
  const mail = await board.queue('mail');
  await mail.add('a', {}, { jobId: 'j_waiting' });
  await mail.add('a', {}, { jobId: 'j_held' });
  await board.redis.client.set(`${mail.toKey('j_held')}:lock`, 'somebody');
  const before = await board.dump();

  for (const [path, message] of [
    ['j_waiting/promote', 'Job j_waiting has moved since it was shown, or is gone; look again.'],
    ['j_held/clean', 'job j_held, or a child of it, is running'],
  ]) {
    const answer = await board.fetchAs(key, `/api/queues/mail/${path}`, { ...JSON_BODY, method: 'PUT' });
    expect([answer.status, await answer.json()]).toEqual([409, expect.objectContaining({ message })]);
  }

  expect(await board.dump()).toEqual(before);
});
