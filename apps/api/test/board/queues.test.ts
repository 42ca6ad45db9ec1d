import { testRedis } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { expect, test } from 'vitest';
import { BullQueues } from '../../src/board/bullmq.ts';
import { MAX_SHOWN_QUEUES, QueueDirectory } from '../../src/board/directory.ts';
import { Redaction } from '../../src/board/redaction.ts';
import { boardUnderTest, jobsOn } from './setup.ts';

test('gives at most a hundred jobs a page, and twenty of each state where all are shown', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  await mail.addBulk(Array.from({ length: 150 }, () => ({ name: 'a', data: {} })));
  const count = async (query: string) => {
    const response = await board.fetchAs(key, `/api/queues?activeQueue=mail&${query}`);
    const { queues } = (await response.json()) as {
      queues: { jobs: unknown[]; pagination: { pageCount: number } }[];
    };
    return [queues[0]?.jobs.length, queues[0]?.pagination.pageCount];
  };

  expect(await count('status=waiting&jobsPerPage=100000')).toEqual([100, 2]);
  expect(await count('status=waiting&jobsPerPage=1e9&page=2')).toEqual([50, 2]);
  expect(await count('status=waiting&jobsPerPage=30&page=5')).toEqual([30, 5]);
  expect(await count('status=latest&jobsPerPage=100')).toEqual([20, 1]);
  expect((await board.fetchAs(key, '/api/queues?activeQueue=mail&jobsPerPage=-1')).status).toBe(400);
});

test('shows a queue as soon as it is used, and forgets one that is gone', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const names = async () => {
    const { queues } = (await (await board.fetchAs(key, '/api/queues')).json()) as {
      queues: { name: string }[];
    };
    return queues.map(({ name }) => name);
  };
  expect(await names()).toEqual([]);

  await board.queue('mail');
  await board.queue('images');
  await expect.poll(names, { timeout: 3_000 }).toEqual(['images', 'mail']);

  await board.redis.client.srem(`${board.redis.prefix}:jobs:queues`, 'mail');
  await expect.poll(names, { timeout: 3_000 }).toEqual(['images']);
  expect((await board.fetchAs(key, '/api/queues/mail/j_1')).status).toBe(404);
});

test('shows a key the queues that it may read', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*:mail*']);
  const [hidden, mail] = [await board.queue('hidden'), await board.queue('mail')];
  await hidden.add('a', {}, { jobId: 'j_1' });
  await board.flows().add({
    name: 'root',
    queueName: 'mail',
    opts: { jobId: 'j_root' },
    children: [
      { name: 'seen', queueName: 'mail', opts: { jobId: 'j_seen' } },
      { name: 'unseen', queueName: 'hidden', opts: { jobId: 'j_unseen' } },
    ],
  });

  const listed = (await (await board.fetchAs(key, '/api/queues')).json()) as { queues: { name: string }[] };
  const unseen = await board.fetchAs(key, '/api/queues/hidden/j_1');
  const unknown = await board.fetchAs(key, '/api/queues/nowhere/j_1');
  const tree = await (await board.fetchAs(key, '/api/queues/mail/j_root/flow')).text();

  expect(listed.queues.map(({ name }) => name)).toEqual(['mail']);
  expect([unseen.status, await unseen.text()]).toEqual([404, await unknown.text()]);
  expect(tree).toContain('j_seen');
  expect(tree).not.toContain('unseen');
  await board.flows().add({
    name: 'above',
    queueName: 'hidden',
    opts: { jobId: 'j_above' },
    children: [{ name: 'below', queueName: 'mail', opts: { jobId: 'j_below' } }],
  });
  for (const path of [
    '/api/queues?activeQueue=mail',
    '/api/queues/mail/j_below',
    '/api/queues/mail/j_below/flow',
  ]) {
    const told = await (await board.fetchAs(key, path)).text();
    expect([path, told.includes('j_below'), /hidden|j_above/.test(told)]).toEqual([path, true, false]);
  }
  expect((await board.fetchAs(key, '/api/queues/pause', { method: 'PUT' })).status).toBe(200);
  expect([await mail.isPaused(), await hidden.isPaused()]).toEqual([true, false]);
});

test('lists more queues than it asks about at a time, each once', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const names = Array.from({ length: 45 }, (_, index) => `q${index}`).sort();
  await board.redis.client.sadd(`${board.redis.prefix}:jobs:queues`, ...names);

  const { queues } = (await (await board.fetchAs(key, '/api/queues')).json()) as {
    queues: { name: string }[];
  };

  expect(queues.map(({ name }) => name)).toEqual(names);
  expect((await board.fetchAs(key, '/api/queues?page=0')).status).toBe(400);
});

test('shows no more queues than it can ask about, and says so once', async (t) => {
  const redis = await testRedis(t);
  const { client, keys } = redis;
  const lines: string[] = [];
  const bull = new BullQueues({ client, keys });
  const names = Array.from({ length: MAX_SHOWN_QUEUES + 20 }, (_, index) => `q${index}`);
  const directory = new QueueDirectory({
    source: {
      names: () => Promise.resolve(names),
      open: (name) => bull.open(name),
      isJobId: () => true,
      jobs: jobsOn(client, redis),
    },
    redaction: new Redaction(),
    log: createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } }),
  });
  const everything = { acts: () => false, sees: () => true };

  expect((await directory.list(everything)).size).toBe(MAX_SHOWN_QUEUES);
  expect((await directory.list({ ...everything, sees: (name) => name === 'q1' })).size).toBe(1);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['more queues than the board shows']);
});
