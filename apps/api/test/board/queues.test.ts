import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

test('gives at most a hundred jobs a page, and twenty of each state where all are shown', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board']);
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
  const key = await board.makeKey(['board']);
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

test('shows a key the queues that it may see', async (t) => {
  const board = await boardUnderTest(t, { sees: (_, queue) => queue !== 'hidden' });
  const key = await board.makeKey(['board:*']);
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
  expect((await board.fetchAs(key, '/api/queues/pause', { method: 'PUT' })).status).toBe(200);
  expect([await mail.isPaused(), await hidden.isPaused()]).toEqual([true, false]);
});
